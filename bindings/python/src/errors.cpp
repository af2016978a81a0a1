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

// The rule of an error is a literal in C++, so Python's words cannot go into it.
error error_from(py::error_already_set& thrown) {
  if (thrown.matches(errors().attr("Error"))) {
    const py::object& e = thrown.value();
    return {fault_from(py::cast<std::string>(e.attr("kind"))), "handler",
            py::cast<std::string>(e.attr("place")), py::cast<std::string>(e.attr("text"))};
  }
  error out{fault::temporary, "handler", "", py::cast<std::string>(py::str(thrown.value()))};
  thrown.discard_as_unraisable("a handler called by libima");
  return out;
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
