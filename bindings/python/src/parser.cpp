#include "binding.hpp"
#include "events.hpp"

#include <ima/message.hpp>

#include <variant>

namespace ima::python {
namespace {

using namespace py::literals;

class parser {
 public:
  explicit parser(const limits& bounds) : parser_(bounds) {}

  void feed(octets_in more) { parser_.feed(fed_.add(std::move(more))); }
  void finish() { parser_.finish(); }
  py::bytes rest() const { return to_bytes(parser_.rest()); }

  py::object next_event() {
    const message_event event = take(parser_.next());
    if (const auto* p = std::get_if<part_received>(&event))
      return py::cast(part_event{p->slice.part(), fed_.share(p->slice.bytes()), p->slice.last()});
    if (const auto* h = std::get_if<header_received>(&event)) return py::cast(*h);
    if (std::holds_alternative<message_complete>(event)) return py::cast(message_complete{});
    fed_.clear();
    return py::cast(need_input{});
  }

 private:
  message_parser parser_;
  fed_octets fed_;
};

}  // namespace

void add_parser(py::module_& m) {
  record<need_input>(m, "NeedInput", "More octets are needed: call feed() or finish().");
  record<header_received>(m, "HeaderReceived", "The header block came and is valid.")
      .field("header", &header_received::header, "The HeaderBlock.");
  record<part_event>(m, "PartReceived", "Octets of a part.")
      .field("index", &part_event::index, "Index into HeaderBlock.parts.")
      .field("data", &part_event::data, "A memoryview of what was fed, without a copy.")
      .field("last", &part_event::last, "The part is complete and its digest matched.");
  record<message_complete>(m, "MessageComplete", "The message is complete; see rest().");
  py::class_<parser>(m, "MessageParser", R"(Reads a message from octets fed in any pieces.

Memory is bounded by the header block. One thread at a time.

>>> parser = MessageParser()
>>> message = Message.build([("from", "a@a.example")], [Part(b"hello\n", "text/plain")])
>>> parser.feed(bytes(message)); parser.finish()
>>> parser.next_event()
HeaderReceived(header=<HeaderBlock ... from a@a.example>)
>>> event = parser.next_event()
>>> event.index, bytes(event.data), event.last
(0, b'hello\n', True)
>>> parser.next_event()
MessageComplete()
)")
      .def(py::init<const limits&>(), "limits"_a = limits{}, "Begins with no octets.")
      .def("feed", &parser::feed, "data"_a, "Gives more octets.")
      .def("finish", &parser::finish, "The input is at its end.")
      .def("next_event", &parser::next_event,
           "The next event; call until NeedInput. Raises RemoteProtocolError.")
      .def("rest", &parser::rest, "What was fed and not taken.");
}

}  // namespace ima::python
