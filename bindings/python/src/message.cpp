#include "messages.hpp"

#include <ima/message.hpp>

#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <variant>

namespace ima::python {
namespace {

using namespace py::literals;

// Checks every rule, and reads all of the body for it.
result<header_block> check_whole(octets data, const limits& bounds) {
  message_parser parser(bounds);
  parser.feed(data);
  parser.finish();
  std::optional<header_block> header;
  for (;;) {
    auto event = parser.next();
    if (!event) return std::move(event).error();
    if (auto* h = std::get_if<header_received>(&*event)) header = std::move(h->header);
    if (std::holds_alternative<message_complete>(*event)) break;
  }
  if (!parser.rest().empty())
    return error{fault::peer, "trailing", "", "octets follow the last part of the message"};
  return *std::move(header);
}

// The octets of the parts stay where they are.
memory_message parse_whole(octets_in data, const limits& bounds) {
  const octets all = data.view();
  header_block header = take(without_gil([&] { return check_whole(all, bounds); }));
  std::vector<octets> parts;
  for (const part_info& p : header.parts())
    parts.push_back(all.substr(header.size() + p.offset, p.size));
  return {std::move(header), {std::move(data)}, std::move(parts)};
}

memory_message build(const std::vector<std::pair<std::string, std::string>>& fields,
                     const std::vector<memory_part>& parts, const limits& bounds) {
  header_builder builder;
  std::vector<octets_in> kept;
  std::vector<octets> views;
  for (const auto& [name, value] : fields) builder.field(name, value);
  for (const memory_part& p : parts) {
    const octets view = p.data.view();
    const digest sha256 = without_gil([&] { return digest::of(view); });
    builder.part({view.size(), sha256, p.media_type, p.role, p.cid, p.params, p.name});
    kept.push_back(p.data);
    views.push_back(view);
  }
  return {take(builder.build(bounds)), std::move(kept), std::move(views)};
}

py::bytes serialised(const memory_message& m) {
  std::string out(m.header().text());
  for (const octets part : m.parts()) out += part;
  return to_bytes(out);
}

py::list parts_of(const memory_message& m) {
  py::list out;
  for (std::size_t i = 0; i < m.parts().size(); ++i) out.append(m.part(i));
  return out;
}

// For transports: any octets of the body, across its parts.
py::bytes read_body(body_source& body, const header_block& header, std::uint64_t offset,
                    std::uint64_t size) {
  const std::uint64_t all = header.body_size();
  const auto count = static_cast<std::size_t>(std::min(size, all - std::min(offset, all)));
  PyObject* made = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(count));
  if (made == nullptr) throw py::error_already_set();
  const auto out = py::reinterpret_steal<py::bytes>(made);
  char* const buffer = PyBytes_AS_STRING(made);
  take(without_gil([&] { return body.read_at(offset, buffer, count); }));
  return out;
}

std::size_t read_part(shared_message_file& file, const part_info& part, std::uint64_t offset,
                      const py::buffer& into) {
  if (offset >= part.size) return 0;
  const writable_buffer buffer(into);
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), part.size - offset));
  take(without_gil([&] { return file.read_at(part.offset + offset, buffer.data(), count); }));
  return count;
}

py::object open_part(const std::shared_ptr<shared_message_file>& file, std::size_t part) {
  if (part == 0 || part > file->header().parts().size())
    raise({fault::caller, "no-part", "", "the message has no part of that number"});
  const part_info& info = file->header().parts()[part - 1];
  return part_file(py::cpp_function([file, &info](std::uint64_t offset, const py::buffer& into) {
                     return read_part(*file, info, offset, into);
                   }),
                   info.size);
}

std::shared_ptr<readdressed_message> with_header(const py::object& original,
                                                 const header_block& header) {
  const message_in from = message_from(original);
  const auto same = [](const part_info& a, const part_info& b) {
    return a.size == b.size && a.sha256 == b.sha256;
  };
  const auto wanted = header.parts();
  const auto had = from.header.parts();
  if (!std::equal(wanted.begin(), wanted.end(), had.begin(), had.end(), same))
    raise({fault::caller, "part-mismatch", "", "the header block announces other parts"});
  return std::make_shared<readdressed_message>(header, original, from.body);
}

// What every kind of message has.
template <class T>
void add_header_and_body(py::class_<T, std::shared_ptr<T>>& c) {
  c.def_property_readonly("header", &T::header, "The HeaderBlock.")
      .def("with_header", &with_header, "header"_a,
           "The same body under a header block that announces the same parts.")
      .def(
          "read_body",
          [](T& of, std::uint64_t offset, std::uint64_t size) {
            return read_body(of, of.header(), offset, size);
          },
          "offset"_a, "size"_a, "Octets of all parts one behind the other; less at the end.")
      .def("__repr__", [](const py::object& self) {
        const header_block& header = self.cast<const T&>().header();
        return py::str("<{} {} from {}>")
            .format(self.attr("__class__").attr("__name__"), header.id_digest().hex(),
                    header.originator().text());
      });
}

void add_readdressed(py::module_& m) {
  py::class_<readdressed_message, std::shared_ptr<readdressed_message>> c(
      m, "ReaddressedMessage", R"(The body of another message under another header block.

Whoever sends a message on makes one with ``with_header()``; no octet of the body is copied.

>>> message = Message.build([("from", "a@a.example")], [Part(b"hello\n", "text/plain")])
>>> on = message.with_header(message.header.with_line("for: b@b.example"))
>>> [str(a) for a in on.header.recipients()]
['b@b.example']
)");
  add_header_and_body(c);
}

void add_part(py::module_& m) {
  py::class_<memory_part>(m, "Part", R"(The octets of one part, with what its line says of it.

>>> Part(b"hello\n", "text/plain", name="hello.txt")
<Part of 6 octets, text/plain 'hello.txt'>
)")
      .def(py::init([](octets_in data, std::string media_type, std::string role, std::string cid,
                       std::string params, std::string name) {
             return memory_part{std::move(data), std::move(media_type), std::move(role),
                                std::move(cid),  std::move(params),     std::move(name)};
           }),
           "data"_a, "media_type"_a = "application/octet-stream", py::kw_only(), "role"_a = "",
           "cid"_a = "", "params"_a = "", "name"_a = "", "Nothing is checked before build().")
      .def("__repr__",
           [](const memory_part& p) {
             return py::str("<Part of {} octets, {} {!r}>")
                 .format(p.data.view().size(), p.media_type, p.name);
           })
      .def_property_readonly(
          "data", [](const memory_part& p) { return p.data.held; }, "The octets.")
      .def_readonly("media_type", &memory_part::media_type, "``type/subtype``.")
      .def_readonly("role", &memory_part::role, "text, alternative, inline, attachment or empty.")
      .def_readonly("cid", &memory_part::cid, "Content id, or empty.")
      .def_readonly("params", &memory_part::params, "Media-type parameters, or empty.")
      .def_readonly("name", &memory_part::name, "File name, or empty.");
}

void add_memory_message(py::module_& m) {
  py::class_<memory_message, std::shared_ptr<memory_message>> c(
      m, "Message",
      R"(A message that is wholly in memory.

>>> message = Message.build(
...     [("from", "alice@a.example"), ("to", "bob@b.example"), ("subject", "Photos")],
...     [Part(b"hello\n", "text/plain")])
>>> again = Message.parse(bytes(message))
>>> again.header == message.header, bytes(again.parts[0])
(True, b'hello\n')
)");
  c.def_static("parse", &parse_whole, "data"_a, "limits"_a = limits{},
               "Reads a whole message and checks every digest; the parts stay in ``data``.")
      .def_static("build", &build, "fields"_a, "parts"_a = std::vector<memory_part>{},
                  py::kw_only(), "limits"_a = limits{},
                  "Makes a message of (name, value) fields and Part objects.")
      .def_property_readonly("parts", &parts_of, "A memoryview for each part, without a copy.")
      .def("__bytes__", &serialised);
  add_header_and_body(c);
}

void add_message_file(py::module_& m) {
  py::class_<shared_message_file, std::shared_ptr<shared_message_file>> c(
      m, "MessageFile", R"(A whole message in a file, checked as it is opened; memory stays small.

>>> import tempfile
>>> file = tempfile.NamedTemporaryFile(suffix=".ima")
>>> message = Message.build([("from", "a@a.example")], [Part(b"hello\n", "text/plain")])
>>> _ = file.write(bytes(message)); file.flush()
>>> with MessageFile.open(file.name).open_part(1) as part:
...     part.read()
b'hello\n'
)");
  c.def_static(
       "open",
       [](const path_in& path, const limits& bounds) {
         return std::make_shared<shared_message_file>(
             take(without_gil([&] { return service::message_file::open(path.held, bounds); })));
       },
       "path"_a, "limits"_a = limits{}, "``-`` is standard input.")
      .def("open_part", &open_part, "part"_a,
           "A binary file over one part; parts are counted from 1.");
  add_header_and_body(c);
}

}  // namespace

py::object memory_message::part(std::size_t index) const {
  fed_octets all;
  for (const octets_in& in : kept_) all.add(in);
  return all.share(parts_[index]);
}

result<void> memory_message::read_at(std::uint64_t offset, char* buffer, std::size_t size) {
  for (const octets part : parts_) {
    if (offset >= part.size()) {
      offset -= part.size();
      continue;
    }
    const std::size_t count = std::min(size, part.size() - static_cast<std::size_t>(offset));
    std::memcpy(buffer, part.data() + offset, count);
    buffer += count;
    size -= count;
    offset = 0;
    if (size == 0) break;
  }
  if (size != 0) return error{fault::caller, "no-part", "", "read behind the end of the message"};
  return {};
}

message_in message_from(const py::object& message) {
  if (py::isinstance<memory_message>(message)) {
    auto& m = message.cast<memory_message&>();
    return {m.header(), m};
  }
  if (py::isinstance<shared_message_file>(message)) {
    auto& m = message.cast<shared_message_file&>();
    return {m.header(), m};
  }
  if (py::isinstance<readdressed_message>(message)) {
    auto& m = message.cast<readdressed_message&>();
    return {m.header(), m};
  }
  throw py::type_error("a Message or a MessageFile is wanted");
}

py::object part_file(const py::object& read_into, std::uint64_t size) {
  return py::module_::import("ima._files").attr("open_part")(read_into, size);
}

writable_buffer::writable_buffer(const py::buffer& of) {
  if (PyObject_GetBuffer(of.ptr(), &view_, PyBUF_WRITABLE) != 0) throw py::error_already_set();
}

void add_messages(py::module_& m) {
  add_part(m);
  add_readdressed(m);
  add_memory_message(m);
  add_message_file(m);
}

}  // namespace ima::python
