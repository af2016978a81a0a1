#include "binding.hpp"

#include <pybind11/stl.h>

namespace ima::python {
namespace {

py::object errors() { return py::module_::import("ima.errors"); }

fault fault_from(std::string_view word) {
  for (const fault f : {fault::peer, fault::caller, fault::temporary, fault::refused})
    if (to_string(f) == word) return f;
  return fault::unknown;
}

// What a call of Python's C interface returned; nothing where it raised, which is forgotten.
py::object or_nothing(PyObject* returned) {
  if (returned == nullptr) PyErr_Clear();
  return py::reinterpret_steal<py::object>(returned);
}

}  // namespace

py::object exception_for(const error& e, bool mailbox) {
  return errors().attr("make")(to_string(e.kind), e.rule, to_text(e.place), to_text(e.text),
                               mailbox);
}

void raise(const error& e, bool mailbox) {
  const py::object exception = exception_for(e, mailbox);
  PyErr_SetObject(py::type::of(exception).ptr(), exception.ptr());
  throw py::error_already_set();
}

std::string utf8_of(py::handle what) {
  const auto text = or_nothing(PyObject_Str(what.ptr()));
  if (!text) return Py_TYPE(what.ptr())->tp_name;
  const auto coded = or_nothing(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
  if (!coded) return Py_TYPE(what.ptr())->tp_name;
  return {PyBytes_AS_STRING(coded.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(coded.ptr()))};
}

std::string member_text(py::handle of, const char* name) {
  const auto member = or_nothing(PyObject_GetAttrString(of.ptr(), name));
  return member ? utf8_of(member) : std::string();
}

void show(py::error_already_set& thrown) {
  thrown.discard_as_unraisable("a handler called by libima");
}

void show_wrong(const std::string& text) {
  PyErr_SetString(PyExc_TypeError, text.c_str());
  PyErr_WriteUnraisable(nullptr);
}

// The rule of an error is a literal in C++, so Python's words cannot go into it.
error error_from(py::error_already_set& thrown) {
  const py::object e = thrown.value();
  if (thrown.matches(errors().attr("Error")))
    return {fault_from(member_text(e, "kind")), "handler", member_text(e, "place"),
            member_text(e, "text")};
  show(thrown);
  return {fault::temporary, "handler", "", utf8_of(e)};
}

py::bytes to_bytes(octets view) { return py::bytes(view.data(), view.size()); }

py::str to_text(std::string_view text) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "backslashreplace"));
}

py::str path_out(const std::string& path) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<py::ssize_t>(path.size())));
}

py::object fed_octets::share(octets view) const {
  for (const octets_in& in : held_) {
    const octets all = in.view();
    if (view.empty() || std::less<>()(view.data(), all.data()) ||
        std::greater<>()(view.data() + view.size(), all.data() + all.size()))
      continue;
    const auto begin = static_cast<py::ssize_t>(view.data() - all.data());
    const py::memoryview whole(in.held);
    return whole[py::slice(begin, begin + static_cast<py::ssize_t>(view.size()), 1)];
  }
  return py::memoryview(to_bytes(view));
}

}  // namespace ima::python
