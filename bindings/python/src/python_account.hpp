#pragma once

#include "binding.hpp"
#include "events.hpp"
#include "handlers.hpp"

#include <ima/retrieval/backend.hpp>

#include <functional>
#include <memory>
#include <span>

namespace ima::python {

/// The error for what a Python back end raised: an ima.Error whose rule is a word of
/// docs/retrieval.md section 7 reaches the user as that word.
error refusal_from(py::error_already_set& thrown);

/// Runs a piece of a back end that is written in Python, with the GIL. `must` says what is to be
/// returned.
template <class F>
auto ask_python(const char* must, F&& work) -> result<decltype(work())> {
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
  } catch (const py::cast_error&) {
    show_wrong(must);
    return error{fault::temporary, "handler", "", "a back end returned something else"};
  } catch (const std::exception& wrong) {  // an unknown word
    show_wrong(std::string(must) + ": " + wrong.what());
    return error{fault::temporary, "handler", "", "a back end returned something else"};
  }
}

/// Gives a Python object, by its write(), a piece of a body.
result<void> write_slice(const anywhere& to, const part_slice& slice);
/// What the send() of a Python account returns.
result<std::unique_ptr<retrieval::submission>> submission_from(
    const anywhere& account, const retrieval::send_options& options, const header_block& header);
/// What the watch() of a Python account returns.
result<std::unique_ptr<retrieval::subscription>> subscription_from(
    const anywhere& account, std::span<const retrieval::watched_folder> folders,
    retrieval::account::tell_change tell, std::function<void()> over);

/// A user's mail that a Python object keeps; its methods are those of ima.net.Account.
std::unique_ptr<retrieval::account> account_from(py::object inner);

}  // namespace ima::python
