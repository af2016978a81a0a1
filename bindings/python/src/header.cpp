#include "addresses.hpp"
#include "binding.hpp"
#include "records.hpp"
#include "times.hpp"

#include <ima/digest.hpp>
#include <ima/header.hpp>

#include <pybind11/stl.h>

#include <cstdint>
#include <limits>

namespace ima::python {
namespace {

using namespace py::literals;

void add_digest(py::module_& m) {
  py::class_<digest>(m, "Digest", R"(A SHA-256 value, of a part or of a message's header block.

>>> Digest.of(b"hello\n").hex()[:16]
'5891b5b522d5df08'
)")
      .def(py::init([](std::string_view hex) { return take(digest::parse(hex)); }), "hex"_a,
           "Reads 64 lower-case hexadecimal digits; raises RemoteProtocolError.")
      .def_static(
          "of", [](const octets_in& data) { return digest::of(data.view()); }, "data"_a,
          "SHA-256 of ``data``.")
      .def("hex", &digest::hex, "64 lower-case hexadecimal digits.")
      .def("__bytes__",
           [](const digest& d) {
             return py::bytes(reinterpret_cast<const char*>(d.value().data()), d.value().size());
           })
      .def("__str__", &digest::hex)
      .def("__repr__", [](const digest& d) { return py::str("Digest({!r})").format(d.hex()); })
      .def(
          "__eq__", [](const digest& a, const digest& b) { return a == b; }, py::is_operator())
      .def(
          "__lt__", [](const digest& a, const digest& b) { return a < b; }, py::is_operator())
      .def("__hash__", [](const digest& d) { return std::hash<std::string>()(d.hex()); })
      .def(py::pickle([](const digest& d) { return d.hex(); },
                      [](const std::string& hex) { return take(digest::parse(hex)); }));
  py::class_<hasher>(m, "Hasher", R"(Computes a Digest over octets given piece by piece.

>>> h = Hasher()
>>> h.update(b"hel"); h.update(b"lo\n")
>>> h.finish() == Digest.of(b"hello\n")
True
)")
      .def(py::init<>(), "Begins with no octets.")
      .def(
          "update", [](hasher& h, const octets_in& data) { h.update(data.view()); }, "data"_a,
          "Takes more octets.")
      .def("finish", &hasher::finish, "Returns the digest and starts afresh.");
}

void add_part_info(py::module_& m) {
  record<part_view>(m, "PartInfo", "What a ``part:`` line of a header block announces.")
      .computed(
          "size", [](const part_view& p) { return p->size; }, "Octets.")
      .computed(
          "offset", [](const part_view& p) { return p->offset; },
          "Octets from the end of the header block.")
      .computed(
          "media_type", [](const part_view& p) { return p->media_type; },
          "``type/subtype``, lower case.")
      .computed(
          "sha256", [](const part_view& p) { return p->sha256; }, "Of the part's octets.")
      .computed(
          "role", [](const part_view& p) { return p->role; },
          "text, alternative, inline, attachment, or empty.")
      .computed(
          "cid", [](const part_view& p) { return p->cid; }, "Content id, or empty.")
      .computed(
          "params", [](const part_view& p) { return p->params; },
          "Media-type parameters as written, or empty.")
      .computed(
          "name", [](const part_view& p) { return p->name; },
          "File name as the author gave it, or empty. Never a path.");
}

// Limits for a header block that was within some before.
limits no_bounds(octets block) {
  limits out;
  out.header_line = out.header_block = block.size();
  out.parts = out.recipients = out.received = block.size();
  out.body = std::numeric_limits<std::uint64_t>::max();
  return out;
}

void add_reading(py::class_<header_block>& c) {
  c.def_static(
       "parse",
       [](const octets_in& block, const limits& bounds) {
         return take(header_block::parse(block.view(), bounds));
       },
       "block"_a, "limits"_a = limits{},
       "Parses exactly one header block, blank line included; raises RemoteProtocolError.")
      .def("__bytes__", [](const header_block& h) { return to_bytes(h.text()); })
      .def("__len__", &header_block::size)
      .def(
          "__eq__",
          [](const header_block& a, const header_block& b) { return a.text() == b.text(); },
          py::is_operator())
      .def("__hash__",
           [](const header_block& h) { return std::hash<std::string_view>()(h.text()); })
      .def("__repr__",
           [](const header_block& h) {
             return py::str("<HeaderBlock {} from {}>")
                 .format(h.id_digest().hex(), h.originator().text());
           })
      .def(py::pickle([](const header_block& h) { return to_bytes(h.text()); },
                      [](const py::bytes& held) {
                        const octets text = octets_in{held}.view();
                        return take(header_block::parse(text, no_bounds(text)));
                      }))
      .def_property_readonly(
          "fields",
          [](const header_block& h) {
            py::list out;
            for (const header_field& f : h.fields()) out.append(py::make_tuple(f.name, f.value));
            return out;
          },
          "All lines as (name, value), in order.")
      .def_property_readonly(
          "parts",
          [](const header_block& h) {
            py::list out;
            for (std::size_t i = 0; i < h.parts().size(); ++i) out.append(part_view{h, i});
            return out;
          },
          "What the ``part:`` lines announce, as PartInfo.");
}

void add_meaning(py::class_<header_block>& c) {
  c.def_property_readonly("body_size", &header_block::body_size, "Sum of all part sizes.")
      .def_property_readonly("digest", &header_block::id_digest,
                             "The digest by which the message is known everywhere.")
      .def("first", &header_block::first, "name"_a, "The first value of a header, or None.")
      .def("all", &header_block::all, "name"_a, "All values of a header, in order.")
      .def("addresses", &header_block::addresses, "name"_a,
           "All addresses of an address header, in order.")
      .def("count", &header_block::count, "name"_a, "How many lines have this name.")
      .def_property_readonly("from_", &header_block::from, "The author.")
      .def_property_readonly("mailer", &header_block::mailer,
                             "Who sends on behalf of the author, or None.")
      .def_property_readonly("originator", &header_block::originator,
                             "Whose hostpart the sender must prove: mailer, otherwise from.")
      .def_property_readonly("date", &header_block::date, "When it was written, or None.")
      .def_property_readonly("subject", &header_block::subject, "Empty where there is none.");
}

void add_copies(py::class_<header_block>& c) {
  c.def("recipients", &header_block::recipients,
        "The envelope: the ``for:`` addresses where there are any, otherwise to, cc and bcc.")
      .def(
          "for_recipient",
          [](const header_block& h, const address_in& a) { return h.for_recipient(*a); },
          "recipient"_a, "A copy without another recipient's private lines.")
      .def("for_host", &header_block::for_host, "hostpart"_a,
           "A copy without another host's private lines.")
      .def(
          "with_line",
          [](const header_block& h, std::string_view line, const limits& bounds) {
            return take(h.with_line(line, bounds));
          },
          "line"_a, "limits"_a = limits{}, "A copy with ``line`` put after the ``ima: 1`` line.");
}

void add_builder(py::module_& m) {
  py::class_<header_builder>(m, "HeaderBuilder", R"(Puts a header block together line by line.

>>> header = (HeaderBuilder()
...           .field("from", "alice@a.example")
...           .field("to", "bob@b.example")
...           .part(6, Digest.of(b"hello\n"), "text/plain")
...           .build())
>>> header.body_size
6
)")
      .def(py::init<>(), "Begins with ``ima: 1``.")
      .def("field", &header_builder::field, "name"_a, "value"_a, "Adds a line; returns itself.")
      .def(
          "part",
          [](header_builder& b, std::uint64_t size, const digest& sha256, std::string media_type,
             std::string role, std::string cid, std::string params,
             std::string name) -> header_builder& {
            return b.part({size, sha256, std::move(media_type), std::move(role), std::move(cid),
                           std::move(params), std::move(name)});
          },
          "size"_a, "sha256"_a, "media_type"_a = "application/octet-stream", py::kw_only(),
          "role"_a = "", "cid"_a = "", "params"_a = "", "name"_a = "",
          "Announces a part; returns itself.")
      .def(
          "build",
          [](const header_builder& b, const limits& bounds) { return take(b.build(bounds)); },
          "limits"_a = limits{}, "Ends the block and checks it; raises RemoteProtocolError.");
}

limits limits_from(const py::dict& values) {
  py::object made = py::cast(limits{});
  for (const auto& [name, value] : values) {
    if (!py::hasattr(made, name)) throw py::type_error("no such limit: " + utf8_of(name));
    made.attr(name) = value;
  }
  return py::cast<limits>(made);
}

// Those that differ from the defaults, by name.
py::dict values_of(const py::object& made) {
  const py::object usual = py::cast(limits{});
  py::dict out;
  for (const auto& [name, member] : py::dict(usual.attr("__class__").attr("__dict__")))
    if (Py_TYPE(member.ptr()) == &PyProperty_Type && !made.attr(name).equal(usual.attr(name)))
      out[name] = made.attr(name);
  return out;
}

py::str shown(const py::object& made) {
  py::list words;
  for (const auto& [name, value] : values_of(made))
    words.append(py::str("{}={!r}").format(name, value));
  return py::str("Limits({})").format(py::str(", ").attr("join")(words));
}

void add_limits(py::module_& m) {
  py::class_<limits>(m, "Limits", R"(Every limit of libima. Sizes in octets, times in seconds.

>>> Limits(body=1000, line=2.5).body
1000
)")
      .def(py::init([](const py::kwargs& values) { return limits_from(values); }),
           "The defaults, with those given by name changed.")
      .def(py::pickle(&values_of, &limits_from))
      .def("__repr__", &shown)
      .def("__eq__",
           [](const py::object& a, const py::object& b) -> py::object {
             if (!py::isinstance<limits>(b))
               return py::reinterpret_borrow<py::object>(Py_NotImplemented);
             return py::bool_(values_of(a).equal(values_of(b)));
           })
      .def_readwrite("header_line", &limits::header_line, "One header line with its LF.")
      .def_readwrite("header_block", &limits::header_block, "The header block.")
      .def_readwrite("parts", &limits::parts, "``part:`` lines.")
      .def_readwrite("recipients", &limits::recipients, "Lines that name a recipient.")
      .def_readwrite("received", &limits::received, "``received:`` lines.")
      .def_readwrite("body", &limits::body, "Sum of all parts.")
      .def_readwrite("stream", &limits::stream, "Mail that comes from no file.")
      .def_readwrite("wire_line", &limits::wire_line, "One protocol line.")
      .def_readwrite("request_line", &limits::request_line, "One IMRP request line.")
      .def_readwrite("pending_output", &limits::pending_output, "Output that may wait.")
      .def_readwrite("offers", &limits::offers, "Messages offered over one connection.")
      .def_readwrite("offered_recipients", &limits::offered_recipients,
                     "Recipients of these together.")
      .def_readwrite("notes", &limits::notes, "``NOTE`` lines about one message.")
      .def_readwrite("password", &limits::password, "Octets of a password.")
      .def_readwrite("auth_failures", &limits::auth_failures, "Failed proofs before the end.")
      .def_readwrite("page", &limits::page, "Lines in one page of changes.")
      .def_readwrite("folders", &limits::folders, "Folders of a mailbox.")
      .def_readwrite("watched", &limits::watched, "Folders in one WATCH.")
      .def_readwrite("queued", &limits::queued, "Lines of QUEUE.")
      .def_readwrite("outstanding", &limits::outstanding, "Requests without answers.")
      .def_readwrite("connect", &limits::connect, "All addresses of one host; TCP alone.")
      .def_readwrite("handshake", &limits::handshake, "For connecting and TLS.")
      .def_readwrite("line", &limits::line, "Waiting for the peer's next line.")
      .def_readwrite("idle", &limits::idle, "Between messages or requests.")
      .def_readwrite("watching", &limits::watching, "Between requests while a WATCH is on.")
      .def_readwrite("accept_lapse", &limits::accept_lapse, "How long an ACCEPT stays good.")
      .def_readwrite("verdict", &limits::verdict, "A sender's patience after the body.")
      .def_readwrite("connection", &limits::connection, "Age of an IMDP connection.")
      .def_readwrite("stopping", &limits::stopping, "For messages in hand when a server stops.")
      .def_readwrite("body_grace", &limits::body_grace, "Before the minimum rate counts.")
      .def_readwrite("body_rate", &limits::body_rate, "Minimum octets per second of a body.");
}

}  // namespace

void add_headers(py::module_& m) {
  add_limits(m);
  add_digest(m);
  add_part_info(m);
  py::class_<header_block> block(m, "HeaderBlock",
                                 R"(A header block that obeys every rule of the message format.

Immutable; safe to use from many threads.

>>> header = HeaderBlock.parse(b"ima: 1\nfrom: a@a.example\nto: b@b.example\nsubject: Hi\n\n")
>>> header.subject, [str(a) for a in header.recipients()]
('Hi', ['b@b.example'])
>>> HeaderBlock.parse(b"ima: 1\nfrom: a@a.example\r\n\n")
Traceback (most recent call last):
    ...
ima.errors.RemoteProtocolError: header line 2, ...: control character U+000D [line-control]
)");
  add_reading(block);
  add_meaning(block);
  add_copies(block);
  add_builder(m);
}

}  // namespace ima::python
