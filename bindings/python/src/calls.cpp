#include "binding.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

// What pybind11 leaves out of its functions: a signature that help() and inspect can read; errors
// about arguments that do not quote them, as they may be a password or a whole message; and to
// refuse an object that `__new__` alone made, which is no memory of the C++ object that it stands
// for.

namespace ima::python {
namespace {

constexpr int with_names = METH_VARARGS | METH_KEYWORDS;

// What pybind11 has all of its functions call.
PyCFunctionWithKeywords& dispatcher() {
  static PyCFunctionWithKeywords one = nullptr;
  return one;
}

PyCFunction as_plain(PyCFunctionWithKeywords function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef& definition(py::handle function) {
  return *reinterpret_cast<PyCFunctionObject*>(function.ptr())->m_ml;
}

// ---- Calls

bool is_unmade(PyObject* given) {
  auto* const base = reinterpret_cast<PyTypeObject*>(py::detail::get_internals().instance_base);
  if (PyObject_TypeCheck(given, base) == 0) return false;
  auto* const one = reinterpret_cast<py::detail::instance*>(given);
  return one->get_value_and_holder().value_ptr() == nullptr;
}

bool refuse_unmade(PyObject* given) {
  if (!is_unmade(given)) return false;
  PyErr_Format(PyExc_TypeError, "%s.__init__() has not been called", Py_TYPE(given)->tp_name);
  return true;
}

bool refuse_any_unmade(PyObject* arguments, Py_ssize_t first, PyObject* named) {
  for (Py_ssize_t i = first; i < PyTuple_GET_SIZE(arguments); ++i)
    if (refuse_unmade(PyTuple_GET_ITEM(arguments, i))) return true;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; named != nullptr && PyDict_Next(named, &at, nullptr, &value) != 0;)
    if (refuse_unmade(value)) return true;
  return false;
}

// What is wrong with a value of the right type, or with one in it; nothing where it may be good.
std::string_view flaw_of(PyObject* given, int depth = 3) {
  if (PyUnicode_Check(given) != 0 && PyUnicode_AsUTF8(given) == nullptr) {
    PyErr_Clear();
    return "text with a surrogate is no Unicode";
  }
  if (PyLong_Check(given) != 0) {
    int beyond = 0;
    const long long value = PyLong_AsLongLongAndOverflow(given, &beyond);
    if (beyond < 0 || (beyond == 0 && value < 0)) return "a negative number";
    if (PyLong_AsUnsignedLongLong(given) != ~0ULL || PyErr_Occurred() == nullptr) return "";
    PyErr_Clear();
    return "a number beyond 64 bits";
  }
  if (depth == 0 || (PyList_Check(given) == 0 && PyTuple_Check(given) == 0)) return "";
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(given); ++i)
    if (const auto flaw = flaw_of(PySequence_Fast_GET_ITEM(given, i), depth - 1); !flaw.empty())
      return flaw;
  return "";
}

std::string type_of(PyObject* given) {
  const std::string_view flaw = flaw_of(given);
  const std::string type = Py_TYPE(given)->tp_name;
  return flaw.empty() ? type : type + " (" + std::string(flaw) + ")";
}

// The types of what was given, as `str, bytes, timeout=int`.
std::string types_of(PyObject* arguments, PyObject* named) {
  std::string out;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(arguments); ++i)
    out += (out.empty() ? "" : ", ") + type_of(PyTuple_GET_ITEM(arguments, i));
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; named != nullptr && PyDict_Next(named, &at, &name, &value) != 0;)
    out += (out.empty() ? "" : ", ") + utf8_of(name) + "=" + type_of(value);
  return out;
}

// Puts types in place of the arguments that pybind11 quotes.
void forget_arguments(PyObject* arguments, PyObject* named) {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  const std::string text = value != nullptr ? utf8_of(value) : "";
  const std::size_t quoted = text.find("\n\nInvoked with: ");
  if (type != PyExc_TypeError || quoted == std::string::npos) {
    PyErr_Restore(type, value, trace);
    return;
  }
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  const std::string said =
      text.substr(0, quoted) + "\n\nInvoked with: " + types_of(arguments, named);
  PyErr_SetString(PyExc_TypeError, said.c_str());
}

PyObject* call(PyObject* self, PyObject* arguments, PyObject* named, Py_ssize_t first) {
  if (refuse_any_unmade(arguments, first, named)) return nullptr;
  PyObject* const out = dispatcher()(self, arguments, named);
  if (out == nullptr && PyErr_ExceptionMatches(PyExc_TypeError) != 0)
    forget_arguments(arguments, named);
  return out;
}

PyObject* call_made(PyObject* self, PyObject* arguments, PyObject* named) {
  return call(self, arguments, named, 0);
}

// Of a function that makes its first argument.
PyObject* call_making(PyObject* self, PyObject* arguments, PyObject* named) {
  return call(self, arguments, named, 1);
}

// ---- Signatures

// Where a piece of what pybind11 writes, as `limits: ima.Limits = <ima.Limits at 0x1>, `, ends.
std::size_t end_of_piece(std::string_view text, std::size_t at) {
  int depth = 0;
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == '\\') ++at;
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (std::strchr("([{<", c) != nullptr) {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == ')')) {
      return at;
    } else if (std::strchr(")]}>", c) != nullptr) {
      --depth;
    }
  }
  return at;
}

bool is_literal(std::string_view text) {
  if (text == "None" || text == "True" || text == "False" || text == "{}" || text == "()")
    return true;
  const char first = text.front();
  return (first >= '0' && first <= '9') || first == '-' || first == '\'' || text == "[]" ||
         text.starts_with("['");
}

// `limits=...` for such a piece.
std::string parameter(std::string_view piece) {
  const std::size_t equals = piece.find(" = ");
  std::string out(piece.substr(0, std::min(piece.find(": "), equals)));
  if (equals == std::string_view::npos) return out;
  const std::string_view value = piece.substr(equals + 3);
  return out + "=" + (is_literal(value) ? std::string(value) : "...");
}

struct signature {
  std::string parameters;  // without parentheses
  std::string_view rest;   // the docstring
};

// Takes apart `name(self: ima.Limits, body: int = 5) -> None\n\nThe docstring.\n`.
signature split(std::string_view text) {
  signature out;
  std::size_t at = text.find('(');
  if (at == std::string_view::npos) return {"", text};
  while (text[at] != ')') {
    const std::size_t begin = text.find_first_not_of(' ', at + 1);
    at = end_of_piece(text, begin);
    if (at >= text.size()) break;
    if (at > begin)
      out.parameters +=
          (out.parameters.empty() ? "" : ", ") + parameter(text.substr(begin, at - begin));
  }
  const std::size_t line_end = std::min(text.find('\n', at), text.size());
  out.rest = text.substr(std::min(text.find_first_not_of('\n', line_end), text.size()));
  return out;
}

// What CPython takes for a signature and a docstring.
std::string with_signature(std::string_view name, std::string_view parameters,
                           std::string_view doc) {
  return std::string(name) + "(" + std::string(parameters) + ")\n--\n\n" + std::string(doc);
}

void set_text(PyMethodDef& of, const std::string& text) {
  char* const copy = ::strdup(text.c_str());
  if (copy == nullptr) throw std::bad_alloc();
  std::free(const_cast<char*>(of.ml_doc));  // NOLINT: pybind11 frees it in this way
  of.ml_doc = copy;
}

void set_text(PyTypeObject& of, const std::string& text) {
#if PY_VERSION_HEX >= 0x030D0000
  void* const copy = PyMem_Malloc(text.size() + 1);
#else
  void* const copy = PyObject_Malloc(text.size() + 1);
#endif
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
#if PY_VERSION_HEX >= 0x030D0000
  PyMem_Free(const_cast<char*>(of.tp_doc));
#else
  PyObject_Free(const_cast<char*>(of.tp_doc));
#endif
  of.tp_doc = static_cast<const char*>(copy);
}

// ---- Modules and classes

// A function of pybind11, whatever it is wrapped in; null for anything else.
py::handle function_in(py::handle value) {
  if (PyInstanceMethod_Check(value.ptr()))
    value = PyInstanceMethod_Function(value.ptr());
  else if (Py_TYPE(value.ptr()) == &PyStaticMethod_Type)
    value = value.attr("__func__").ptr();
  if (PyCFunction_Check(value.ptr()) == 0) return {};
  const PyMethodDef& known = definition(value);
  return known.ml_flags == with_names && known.ml_meth == as_plain(dispatcher()) ? value
                                                                                 : py::handle();
}

void finish_function(py::handle value, bool makes = false) {
  const py::handle function = function_in(value);
  if (!function) return;
  PyMethodDef& known = definition(function);
  known.ml_meth = as_plain(makes ? call_making : call_made);
  if (known.ml_doc == nullptr || std::strstr(known.ml_doc, "\nOverloaded function.") != nullptr)
    return;
  const signature read = split(known.ml_doc);
  set_text(known, with_signature(known.ml_name, read.parameters, read.rest));
}

// A class shows the signature of its constructor.
void finish_class(py::handle kind) {
  auto& type = *reinterpret_cast<PyTypeObject*>(kind.ptr());
  for (const auto& [key, value] : py::dict(kind.attr("__dict__"))) {
    const std::string name = utf8_of(key);
    if (Py_TYPE(value.ptr()) == &PyProperty_Type) {
      finish_function(value.attr("fget").ptr());
      finish_function(value.attr("fset").ptr());
      continue;
    }
    if (name == "__init__" && function_in(value)) {
      const std::string own = split(definition(function_in(value)).ml_doc).parameters;
      const std::size_t after_self = own.find(", ");
      set_text(type,
               with_signature(utf8_of(kind.attr("__name__")),
                              after_self == std::string::npos ? "" : own.substr(after_self + 2),
                              type.tp_doc != nullptr ? type.tp_doc : ""));
    }
    finish_function(value, name == "__init__" || name == "__setstate__");
  }
}

void finish_module(py::handle m) {
  const std::string prefix = utf8_of(m.attr("__name__")) + ".";
  for (const auto& [key, value] : py::dict(m.attr("__dict__"))) {
    if (PyModule_Check(value.ptr()) != 0 && utf8_of(value.attr("__name__")).starts_with(prefix))
      finish_module(value);
    else if (py::isinstance<py::type>(value))
      finish_class(value);
    else
      finish_function(value);
  }
}

}  // namespace

void finish_calls(py::module_& m) {
  const py::cpp_function any([] {});
  const PyMethodDef& known = definition(any);
  if (known.ml_flags != with_names) return;  // a pybind11 that calls in another way
  dispatcher() =
      reinterpret_cast<PyCFunctionWithKeywords>(reinterpret_cast<void (*)()>(known.ml_meth));
  finish_module(m);
}

}  // namespace ima::python
