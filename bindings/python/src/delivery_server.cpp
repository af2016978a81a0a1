#include "binding.hpp"
#include "events.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/delivery/server.hpp>

#include <pybind11/stl.h>

#include <variant>

namespace ima::python {
namespace {

using namespace py::literals;

class session {
 public:
  session(std::string host, const limits& bounds) : inner({std::move(host), bounds}) {}

  void receive(octets_in more) { inner.receive(fed_.add(std::move(more))); }

  py::object next_event() {
    auto event = inner.next_event();
    if (const auto* b = std::get_if<delivery::body_received>(&event))
      return py::cast(part_event{b->slice.part(), fed_.share(b->slice.bytes()), b->slice.last()});
    if (std::holds_alternative<delivery::server_needs_input>(event)) {
      fed_.clear();
      return py::cast(need_input{});
    }
    return std::visit([](auto& e) { return py::cast(std::move(e)); }, event);
  }

  delivery::server inner;

 private:
  fed_octets fed_;
};

void add_events(py::module_& m) {
  using namespace delivery;
  record<server_waits>(m, "Waiting", "Nothing happens until the caller answered or sent output.");
  record<message_offered>(m, "MessageOffered", "A valid header block was offered; answer().")
      .field("header", &message_offered::header, "The HeaderBlock.");
  record<offer_refused>(m, "OfferRefused", "The session refused a header block by itself.")
      .field("why", &offer_refused::why, "The reason word.")
      .computed(
          "problem", [](const offer_refused& r) { return exception_for(r.problem); }, "The Error.");
  record<body_complete>(m, "BodyComplete", "The body is verified: report(), then conclude().");
  record<body_damaged>(m, "BodyDamaged", "The body broke a rule. Forget the message.")
      .computed(
          "problem", [](const body_damaged& d) { return exception_for(d.problem); }, "The Error.");
  record<offer_cancelled>(m, "OfferCancelled", "The sender took the message back. Forget it.");
  record<server_closed>(m, "ServerClosed", "Send pending output, then close.")
      .computed(
          "problem", [](const server_closed& c) { return problem_of(c.problem); },
          "An Error, or None where it ended as it should.");
}

void add_answers(py::class_<session>& c) {
  c.def(
       "answer", [](session& s, const delivery::header_answer& a) { take(s.inner.answer(a)); },
       "answer"_a, "Answers MessageOffered.")
      .def(
          "lapse", [](session& s) { take(s.inner.lapse()); },
          "Withdraws an ACCEPT that was not used in time.")
      .def(
          "abandon",
          [](session& s, std::string text, bool permanent) {
            take(s.inner.abandon(
                {permanent ? fault::refused : fault::temporary, "handler", "", std::move(text)}));
          },
          "text"_a, "permanent"_a = false, "Gives up a message while its body comes.")
      .def(
          "report",
          [](session& s, const delivery::recipient_result& r) { take(s.inner.report(r)); },
          "result"_a, "One recipient's line, before the verdict.")
      .def(
          "note", [](session& s, std::string_view text) { take(s.inner.note(text)); }, "text"_a,
          "A remark for the sender's people, before the verdict.")
      .def(
          "conclude", [](session& s, delivery::verdict v) { take(s.inner.conclude(v)); },
          "verdict"_a, "Ends the message after BodyComplete.")
      .def(
          "stop", [](session& s) { s.inner.stop(); }, "Takes no further message.");
}

}  // namespace

void add_delivery_server(py::module_& m) {
  add_events(m);
  py::class_<session> c(m, "ServerSession", R"(The receiver's side of one IMDP connection.

Octets in, events and octets out; no socket, clock or file. One thread at a time. Body octets come
as ima.PartReceived.

>>> session = ima.delivery.ServerSession("b.example", Limits(body=1000))
>>> session.take_output()
b'IMDP 1 b.example max-size=1000\n'
>>> session.receive(b"MAIL 42\nima: 1\nfrom: a@a.example\nto: b@b.example\n\n")
>>> session.next_event().header.originator
Address('a@a.example')
>>> session.answer(ima.delivery.HeaderAnswer("accept"))
>>> session.take_output()
b'ACCEPT\n'
)");
  c.def(py::init<std::string, const limits&>(), "host"_a, "limits"_a = limits{},
        "``host`` is the hostpart that the connection serves.")
      .def("receive", &session::receive, "data"_a, "Gives octets that came.")
      .def(
          "receive_eof", [](session& s) { s.inner.receive_eof(); }, "The peer sends no more.")
      .def("next_event", &session::next_event, "The next event; call until NeedInput or Waiting.")
      .def(
          "take_output", [](session& s) { return take_output(s.inner); },
          "Octets to send, which are then gone.")
      .def_property_readonly(
          "timeout", [](const session& s) { return s.inner.timeout(); },
          "How long the present wait may last; None while the caller is to act.")
      .def_property_readonly(
          "step", [](const session& s) { return s.inner.step(); },
          "Changes whenever a new wait begins.")
      .def_property_readonly(
          "accept_pending", [](const session& s) { return s.inner.accept_pending(); },
          "On time-out call lapse() and do not close.");
  add_answers(c);
}

}  // namespace ima::python
