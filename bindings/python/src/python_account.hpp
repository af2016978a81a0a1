#pragma once

#include "binding.hpp"

#include <ima/retrieval/backend.hpp>

#include <memory>

namespace ima::python {

/// The error for what a Python back end raised: an ima.Error whose rule is a word of
/// docs/retrieval.md section 7 reaches the user as that word.
error refusal_from(py::error_already_set& thrown);

/// Runs a piece of a back end that is written in Python, with the GIL.
template <class F>
auto ask_python(F&& work) -> result<decltype(work())> {
  const with_gil gil;
  try {
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      return {};
    } else {
      return work();
    }
  } catch (py::error_already_set& thrown) {
    return refusal_from(thrown);
  } catch (const std::exception& wrong) {  // a cast_error or an unknown word
    PyErr_SetString(PyExc_TypeError, wrong.what());
    PyErr_WriteUnraisable(nullptr);
    return error{fault::temporary, "handler", "", "a back end returned something else"};
  }
}

/// A user's mail that a Python object keeps; its methods are those of ima.net.Account.
std::unique_ptr<retrieval::account> account_from(py::object inner);

}  // namespace ima::python
