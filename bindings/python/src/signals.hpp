#pragma once

#include "binding.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace ima::python {

/// Lets a Python signal handler that raises, as that of Ctrl-C does, end a call that waits without
/// the GIL. Copies share what was raised.
class signals {
 public:
  /// For the library to ask; only the main thread has signals.
  std::function<bool()> question() const {
    return [raised = raised_] {
      if (::gettid() != ::getpid()) return false;
      const with_gil gil;
      if (PyErr_CheckSignals() == 0) return false;
      raised->emplace();
      return true;
    };
  }
  /// Raises it, when the call has ended.
  void rethrow() const {
    if (!*raised_) return;
    const py::error_already_set raised = *std::exchange(*raised_, std::nullopt);
    throw py::error_already_set(raised);
  }

 private:
  std::shared_ptr<std::optional<py::error_already_set>> raised_ =
      std::make_shared<std::optional<py::error_already_set>>();
};

}  // namespace ima::python
