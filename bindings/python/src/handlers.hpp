#pragma once

#include "binding.hpp"

#include <ima/delivery/handler.hpp>
#include <ima/log.hpp>

#include <memory>

namespace ima::python {

/// A handler argument: one of the library's, or any Python object with an `open` method. The object
/// lives as long as this does.
class handler_in {
 public:
  explicit handler_in(const py::object& given);
  delivery::handler& operator*() const noexcept { return *handler_; }
  /// Whether it keeps the Python object.
  bool is_python() const noexcept { return is_python_; }

 private:
  bool is_python_ = false;
  std::shared_ptr<delivery::handler> handler_;
};

/// A log that calls a Python function with (level, name, fields); nothing where it is None.
std::unique_ptr<log_sink> log_from(const py::object& function);

/// Destroys a Python reference on a thread that may not hold the GIL.
class anywhere {
 public:
  explicit anywhere(py::object held) : held_(std::move(held)) {}
  anywhere(const anywhere&) = delete;
  anywhere& operator=(const anywhere&) = delete;
  ~anywhere() {
    const with_gil gil;
    held_ = py::object();
  }
  const py::object& operator*() const noexcept { return held_; }

 private:
  py::object held_;
};

}  // namespace ima::python
