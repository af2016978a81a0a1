#include "binding.hpp"
#include "parts.hpp"  // made by Meson

#include <string>

namespace {

namespace py = pybind11;

// A class or function shows itself under the name by which people import it.
void set_public_name(const py::module_& m, const char* name) {
  for (const auto& [key, value] : py::cast<py::dict>(m.attr("__dict__")))
    if (py::isinstance<py::type>(value)) value.attr("__module__") = name;
}

using adder = void (*)(py::module_&);

void add_submodule(py::module_& m, const char* name, const char* doc, adder add) {
  py::module_ sub = m.def_submodule(name, doc);
  add(sub);
  set_public_name(sub, ("ima." + std::string(name)).c_str());
}

// An interpreter beside the main one has no part in pybind11's classes.
bool refuse_subinterpreter() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return false;
  PyErr_SetString(PyExc_ImportError,
                  "ima works in the main interpreter only, not in a subinterpreter");
  return true;
}

// Where the main interpreter has the module, Python hands out a copy of it without loading it anew.
// So this is called by the package, and is no function of pybind11, which would wait, too.
PyObject* check_interpreter(PyObject*, PyObject*) {
  if (refuse_subinterpreter()) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef plain_functions[] = {{"_check_interpreter", &check_interpreter, METH_NOARGS,
                                  "_check_interpreter()\n--\n\nRefuses a subinterpreter."},
                                 {nullptr, nullptr, 0, nullptr}};

}  // namespace

// Python calls the function below, as pybind11's own would wait for ever in a subinterpreter.
#define PyInit__ima PyInit__ima_of_pybind11
PYBIND11_MODULE(_ima, m) {
  using namespace ima::python;
  m.doc() = "libima for Python; import the package ima instead.";
  m.attr("__version__") = IMA_VERSION;
  m.def(
      "_message",
      [](const py::str& rule, const py::str& place, const py::str& text) {
        const std::string held = utf8_of(rule);
        return to_text(
            ima::error{ima::fault::temporary, held, utf8_of(place), utf8_of(text)}.message());
      },
      py::arg("rule"), py::arg("place"), py::arg("text"), "What an exception says.");
  add_addresses(m);
  add_headers(m);
  add_messages(m);
  add_parser(m);
  add_composing(m);
  add_submodule(m, "tls", "Identity and TLS.", add_tls);
  add_submodule(m, "delivery", "IMDP, without input or output.", add_delivery);
  add_submodule(m, "retrieval", "IMRP, without input or output.", add_retrieval);
  add_submodule(m, "mailbox", "Mail on disk.", add_mailbox);
  add_submodule(m, "service", "Routing, handlers, users.", add_service);
  add_submodule(m, "net", "Blocking clients and servers.", add_net);
#ifdef IMA_TRANSLATION
  add_submodule(m, "translate", "Internet mail.", add_translate);
#endif
  if (PyModule_AddFunctions(m.ptr(), plain_functions) != 0) throw py::error_already_set();
  set_public_name(m, "ima");
  finish_calls(m);
}
#undef PyInit__ima

extern "C" PYBIND11_EXPORT PyObject* PyInit__ima();
extern "C" PyObject* PyInit__ima() {
  return refuse_subinterpreter() ? nullptr : PyInit__ima_of_pybind11();
}
