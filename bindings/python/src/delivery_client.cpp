#include "binding.hpp"
#include "events.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/delivery/client.hpp>
#include <ima/message.hpp>

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
    if (std::holds_alternative<delivery::client_needs_input>(event)) {
      fed_.clear();
      return py::cast(need_input{});
    }
    return std::visit([](auto& e) { return py::cast(std::move(e)); }, event);
  }

  delivery::client inner;

 private:
  fed_octets fed_;
};

void add_events(py::module_& m) {
  using namespace delivery;
  record<greeting_received>(m, "GreetingReceived", "The server introduced itself.")
      .field("max_size", &greeting_received::max_size, "Octets of the largest body it takes.")
      .field("capabilities", &greeting_received::capabilities, "Other words of the greeting.");
  record<recipient_reported>(m, "RecipientReported", "A recipient's line.")
      .field("result", &recipient_reported::line, "The RecipientResult.");
  record<note_received>(m, "NoteReceived", "A remark for people.")
      .field("text", &note_received::text, "What it says.");
  record<offer_accepted>(m, "OfferAccepted", "The server wants the body: data(), or cancel().");
  record<offer_declined>(m, "OfferDeclined", "The server does not take the message. Final.")
      .field("permanent", &offer_declined::permanent, "REJECT, otherwise DEFER.")
      .field("word", &offer_declined::word, "A reason word, maybe an unknown one.")
      .field("text", &offer_declined::text, "For people.")
      .field("results", &offer_declined::results, "One for each recipient.");
  record<delivery_complete>(m, "DeliveryComplete", "The verdict came. Final for this offer.")
      .field("verdict", &delivery_complete::what, "OK, FAIL, PARTIAL or DEFER.")
      .field("results", &delivery_complete::results, "One for each recipient.");
  record<client_closed>(m, "ClientClosed", "The connection is over.")
      .computed(
          "problem", [](const client_closed& c) { return problem_of(c.problem); },
          "An Error, or None where it ended as it should.");
}

}  // namespace

void add_delivery_client(py::module_& m) {
  add_events(m);
  py::class_<session>(m, "ClientSession", R"(The sender's side of one IMDP connection.

Octets in, events and octets out; no socket, clock or file. One thread at a time.

>>> session = ima.delivery.ClientSession("b.example")
>>> session.receive(b"IMDP 1 b.example max-size=1000\n")
>>> session.next_event()
GreetingReceived(max_size=1000, capabilities=[])
>>> session.offer(HeaderBlock.parse(b"ima: 1\nfrom: a@a.example\nto: b@b.example\n\n"))
>>> session.take_output()[:8]
b'MAIL 42\n'
)")
      .def(py::init<std::string, const limits&>(), "host"_a, "limits"_a = limits{},
           "The greeting must name ``host``.")
      .def("receive", &session::receive, "data"_a, "Gives octets that came.")
      .def(
          "receive_eof", [](session& s) { s.inner.receive_eof(); }, "The server sends no more.")
      .def("next_event", &session::next_event, "The next event; call until NeedInput.")
      .def(
          "offer", [](session& s, const header_block& h) { take(s.inner.offer(h)); }, "header"_a,
          "Offers a message by its header block, made by HeaderBlock.for_host().")
      .def(
          "data", [](session& s) { take(s.inner.data()); },
          "Announces the body of the message offered last.")
      .def(
          "body", [](session& s, const octets_in& piece) { take(s.inner.body(piece.view())); },
          "piece"_a, "Gives body octets, not more than were announced.")
      .def(
          "cancel", [](session& s) { take(s.inner.cancel()); }, "Takes the offer back.")
      .def(
          "done", [](session& s) { take(s.inner.done()); }, "Says that no message follows.")
      .def(
          "take_output", [](session& s) { return take_output(s.inner); },
          "Octets to send, which are then gone.")
      .def_property_readonly(
          "timeout", [](const session& s) { return s.inner.timeout(); },
          "How long the present wait may last; None while none is awaited.")
      .def_property_readonly(
          "step", [](const session& s) { return s.inner.step(); },
          "Changes whenever a new wait begins.");
}

}  // namespace ima::python
