#pragma once

#include <ima/error.hpp>

#include <cxxabi.h>
#include <pybind11/pybind11.h>
#include <sys/types.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// What every file of the bindings uses: libima's errors as exceptions, octets in and out, and one
// function per subject that adds its names to a Python module. The bindings have no logic of their
// own; what a name does is said where libima declares it.

namespace ima::python {

namespace py = pybind11;

/// The Python exception for an error (ima/errors.py decides its class). `mailbox` marks what the
/// mailbox layer reports, which is a MailboxError besides. Holds the GIL.
py::object exception_for(const error& e, bool mailbox = false);
[[noreturn]] void raise(const error& e, bool mailbox = false);
/// The error for the exception that a Python handler let escape. Never throws: neither do the two
/// that follow, whatever the exception's own methods do.
error error_from(py::error_already_set& thrown);
/// Gives an exception that nobody else hears of to sys.unraisablehook.
void show(py::error_already_set& thrown);
/// The same for what Python did wrong without an exception, as a TypeError.
void show_wrong(const std::string& text);

/// A str as UTF-8; what cannot be encoded is written as an escape. Of anything else its str().
std::string utf8_of(py::handle what);
/// The same of a member; empty where there is none.
std::string member_text(py::handle of, const char* name);

/// The value of a result, or its error as an exception.
template <class T>
T take(result<T>&& r, bool mailbox = false) {
  if (!r) raise(r.error(), mailbox);
  if constexpr (!std::is_void_v<T>) return std::move(r).value();
}

[[noreturn]] inline void sleep_for_ever() {
  for (;;) ::pause();
}

/// A thread that would take the GIL while the interpreter ends must not: CPython ends the thread,
/// which unwinds it through C++ frames that do not expect it, and the process would abort. It
/// sleeps until the process ends. The main thread, which ends the interpreter, goes on.
inline void sleep_if_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  const bool finalizing = Py_IsFinalizing() != 0;
#else
  const bool finalizing = _Py_IsFinalizing() != 0;
#endif
  if (finalizing && ::gettid() != ::getpid()) sleep_for_ever();
}

/// Calls `take`, which takes the GIL. The end of the interpreter may begin while that waits.
template <class F>
void take_gil(F&& take) {
  sleep_if_finalizing();
#ifdef __GLIBC__
  try {
    take();
  } catch (const abi::__forced_unwind&) {
    sleep_for_ever();
  }
#else
  take();  // nothing is unwound where a thread ends
#endif
}

/// Holds the GIL, on any thread.
class with_gil {
 public:
  with_gil() : outer_(exchange_called(calls_python())) {
    take_gil([this] { gil_.emplace(); });
  }
  with_gil(const with_gil&) = delete;
  with_gil& operator=(const with_gil&) = delete;
  // Also where the thread was to end while it ran Python.
  ~with_gil() {
    sleep_if_finalizing();
    called() = outer_;
  }

  /// Whether Python was called by a thread of the library, which waits for its end.
  static bool called_by_library() noexcept { return called(); }

 private:
  static bool& called() noexcept {
    static thread_local bool now = false;
    return now;
  }
  // A thread that Python knows is one of its own.
  static bool calls_python() noexcept {
    return called() || PyGILState_GetThisThreadState() == nullptr;
  }
  static bool exchange_called(bool now) noexcept { return std::exchange(called(), now); }

  bool outer_;
  std::optional<py::gil_scoped_acquire> gil_;
};

/// Runs `work` without the GIL, so that other Python threads go on while it waits for a disk or a
/// network. `work` touches no Python object.
template <class F>
auto without_gil(F&& work) {
  struct released {
    released() : state(PyEval_SaveThread()) {}
    released(const released&) = delete;
    released& operator=(const released&) = delete;
    ~released() {
      take_gil([this] { PyEval_RestoreThread(state); });
    }
    PyThreadState* state;
  };
  const released now;
  return std::forward<F>(work)();
}

/// Makes sure that an object is used in the process that made it: its threads, locks and database
/// connections do not survive fork(2).
class one_process {
 public:
  bool here() const noexcept { return ::getpid() == owner_; }
  void check() const {
    if (!here())
      raise({fault::caller, "forked", "", "made before fork(); a child process opens its own"});
  }

 private:
  pid_t owner_ = ::getpid();
};

/// A bytes-like argument. A `bytes` is used in place, which is safe as it never changes; anything
/// else is copied.
struct octets_in {
  py::bytes held;

  octets view() const {
    return {PyBytes_AS_STRING(held.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(held.ptr()))};
  }
};

/// Octets that a session was given and may still refer to, kept alive until it asks for more.
class fed_octets {
 public:
  octets add(octets_in more) {
    held_.push_back(std::move(more));
    return held_.back().view();
  }
  void clear() { held_.clear(); }
  /// `view` as a memoryview of what was fed, without a copy, or as bytes where it is not of it.
  py::object share(octets view) const;

 private:
  std::vector<octets_in> held_;
};

py::bytes to_bytes(octets view);
/// Text for people, which may quote what is not UTF-8.
py::str to_text(std::string_view text);

/// A path as Python has them: a text, octets, or an os.PathLike. A name that is not UTF-8 is the
/// text that os.fsdecode() makes of it.
struct path_in {
  std::string held;
};
/// A path as a text that leads back to it.
py::str path_out(const std::string& path);

/// The class of small records: named members that are read, equality, a repr, and patterns by name.
template <class T>
class record {
 public:
  record(py::handle scope, const char* name, const char* doc) : class_(scope, name, doc) {
    class_.attr("__match_args__") = py::tuple();
    class_.attr("__repr__") = py::cpp_function(&show, py::is_method(class_));
    class_.attr("__eq__") = py::cpp_function(&equal, py::is_method(class_));
    class_.attr("__hash__") = py::none();  // members may be lists
  }

  /// Lets Python make one.
  template <class... Args>
  void made(Args&&... args) {
    class_.def(std::forward<Args>(args)..., "Takes the members.");
  }
  template <class M>
  record& field(const char* name, M T::*member, const char* doc) {
    class_.def_readonly(name, member, doc);
    return named(name);
  }
  template <class F>
  record& computed(const char* name, F getter, const char* doc) {
    class_.def_property_readonly(name, getter, doc);
    return named(name);
  }

 private:
  record& named(const char* name) {
    class_.attr("__match_args__") =
        py::object(class_.attr("__match_args__")) + py::make_tuple(name);
    return *this;
  }
  static py::object equal(const py::object& a, const py::object& b) {
    if (!py::type::of(a).is(py::type::of(b)))
      return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    for (const auto name : a.attr("__match_args__"))
      if (!a.attr(py::str(name)).equal(b.attr(py::str(name)))) return py::bool_(false);
    return py::bool_(true);
  }
  static py::str show(const py::object& self) {
    py::list members;
    for (const auto name : self.attr("__match_args__"))
      members.append(py::str("{}={!r}").format(name, self.attr(py::str(name))));
    return py::str("{}({})").format(self.attr("__class__").attr("__name__"),
                                    py::str(", ").attr("join")(members));
  }

  py::class_<T> class_;
};

void add_addresses(py::module_& m);
void add_headers(py::module_& m);
void add_messages(py::module_& m);
void add_parser(py::module_& m);
void add_composing(py::module_& m);
void add_tls(py::module_& m);
void add_explain(py::module_& m);
void add_translate(py::module_& m);
void add_delivery(py::module_& m);
void add_delivery_client(py::module_& m);
void add_delivery_server(py::module_& m);
void add_handlers(py::module_& m);
void add_queue(py::module_& m);
void add_routing(py::module_& m);
void add_service(py::module_& m);
void add_mailbox(py::module_& m);
void add_retrieval(py::module_& m);
void add_net(py::module_& m);
void add_net_clients(py::module_& m);
void add_net_servers(py::module_& m);

/// Gives every function of a module what pybind11 leaves out; after all of them were added.
void finish_calls(py::module_& m);

}  // namespace ima::python

namespace pybind11::detail {

// pybind11 takes octets for a text as well; here they differ.
template <class Text, bool IsView>
struct text_caster : string_caster<Text, IsView> {
  bool load(handle from, bool convert) {
    return PyUnicode_Check(from.ptr()) != 0 && string_caster<Text, IsView>::load(from, convert);
  }
};
template <>
struct type_caster<std::string> : text_caster<std::string, false> {};
template <>
struct type_caster<std::string_view> : text_caster<std::string_view, true> {};

template <>
struct type_caster<ima::python::octets_in> {
  PYBIND11_TYPE_CASTER(ima::python::octets_in, const_name("Buffer"));

  bool load(handle from, bool) {
    if (PyBytes_CheckExact(from.ptr()) != 0) {
      value.held = reinterpret_borrow<bytes>(from);
      return true;
    }
    if (PyUnicode_Check(from.ptr()) != 0) throw type_error("a bytes-like object is wanted, no str");
    if (PyObject_CheckBuffer(from.ptr()) == 0) return false;
    PyObject* copy = PyBytes_FromObject(from.ptr());
    if (copy == nullptr) throw error_already_set();
    value.held = reinterpret_steal<bytes>(copy);
    return true;
  }
};

template <>
struct type_caster<ima::python::path_in> {
  PYBIND11_TYPE_CASTER(ima::python::path_in, const_name("StrOrBytesPath"));

  bool load(handle from, bool) {
    PyObject* encoded = nullptr;
    if (PyUnicode_FSConverter(from.ptr(), &encoded) == 0) {
      if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw error_already_set();
      PyErr_Clear();
      return false;
    }
    value.held = reinterpret_steal<bytes>(encoded);
    return true;
  }
  static handle cast(const ima::python::path_in& path, return_value_policy, handle) {
    return ima::python::path_out(path.held).release();
  }
};

}  // namespace pybind11::detail
