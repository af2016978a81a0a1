#include "binding.hpp"

#include <ima/service/compose.hpp>

#include <pybind11/stl.h>

#include <memory>
#include <mutex>

namespace ima::python {
namespace {

using namespace py::literals;
using fields = std::vector<std::pair<std::string, std::string>>;

// Two Python threads may write the same composition.
struct shared_composition {
  service::composition made;
  std::mutex mutex;
};

std::shared_ptr<shared_composition> prepare(fields lines, std::vector<service::draft_part> parts,
                                            const limits& bounds) {
  const service::draft draft{std::move(lines), std::move(parts)};
  auto made = take(without_gil([&] { return service::composition::prepare(draft, bounds); }));
  return std::shared_ptr<shared_composition>(new shared_composition{std::move(made), {}});
}

void write(shared_composition& c, const py::object& output) {
  const int descriptor = PyObject_AsFileDescriptor(output.ptr());
  if (descriptor < 0) throw py::error_already_set();
  if (py::hasattr(output, "flush")) output.attr("flush")();
  take(without_gil([&] {
    const std::lock_guard lock(c.mutex);
    return c.made.write(descriptor);
  }));
}

}  // namespace

void add_composing(py::module_& m) {
  py::class_<service::draft_part>(m, "FilePart", "A file that becomes a part of a message.")
      .def(py::init([](path_in file, std::string media_type, std::string role, std::string name) {
             return service::draft_part{std::move(file.held), std::move(media_type),
                                        std::move(role), std::move(name)};
           }),
           "file"_a, "media_type"_a = "", py::kw_only(), "role"_a = "", "name"_a = "",
           "An empty media type is guessed from the file's name.")
      .def_property_readonly(
          "file", [](const service::draft_part& p) { return path_out(p.file); },
          "A path, or ``-`` for standard input.")
      .def_readonly("media_type", &service::draft_part::media_type, "``type/subtype``, or empty.")
      .def_readonly("role", &service::draft_part::role, "As in a ``part:`` line, or empty.")
      .def_readonly("name", &service::draft_part::name, "The name that others see, or empty.");
  py::class_<shared_composition, std::shared_ptr<shared_composition>>(
      m, "Composition", R"(A message made of files, which may be larger than memory.

>>> import tempfile
>>> photo = tempfile.NamedTemporaryFile(suffix=".jpg"); _ = photo.write(b"x" * 1000); photo.flush()
>>> made = Composition([("from", "a@a.example")], [FilePart(photo.name, name="photo.jpg")])
>>> made.header.parts[0].media_type, made.header.body_size
('image/jpeg', 1000)
>>> with tempfile.NamedTemporaryFile() as out:
...     made.write(out)
...     MessageFile.open(out.name).header == made.header
True
)")
      .def(py::init(&prepare), "fields"_a, "parts"_a = std::vector<service::draft_part>{},
           py::kw_only(), "limits"_a = limits{}, "Reads every file once to measure and hash it.")
      .def_property_readonly(
          "header", [](const shared_composition& c) { return c.made.header(); }, "The HeaderBlock.")
      .def("write", &write, "output"_a,
           "Writes the message to a file object that has a descriptor, or to a descriptor.");
  m.def("guess_media_type", &service::guess_media_type, "file_name"_a,
        R"(A media type by the ending of a file's name.

>>> guess_media_type("photo.jpg")
'image/jpeg'
)");
  m.def(
      "new_message_id", [](std::string_view host) { return take(service::new_message_id(host)); },
      "host"_a, R"(A new message id, ``random@host``, so that no two are alike.

>>> new_message_id("a.example").endswith("@a.example")
True
)");
  m.def(
      "address_from_person",
      [](std::string_view text) { return take(service::address_from_person(text)); }, "text"_a,
      R"(Reads an address as a person types it, with or without a display name.

>>> str(address_from_person("Bob <bob@B.Example>"))
'Bob <bob@b.example>'
)");
}

}  // namespace ima::python
