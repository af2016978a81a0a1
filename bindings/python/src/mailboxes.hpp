#pragma once

#include "binding.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <memory>
#include <utility>

namespace ima::python {

/// A mailbox that knows its process. It is thread-safe by itself.
class shared_mailbox {
 public:
  explicit shared_mailbox(mailbox::mailbox m)
      : inner_(std::make_unique<mailbox::mailbox>(std::move(m))) {}
  shared_mailbox(const shared_mailbox&) = delete;
  shared_mailbox& operator=(const shared_mailbox&) = delete;
  // A child process must not even close what it shares with its parent (a database, locks).
  ~shared_mailbox() {
    if (!process_.here())
      inner_.release();  // NOLINT(bugprone-unused-return-value): kept on purpose
  }

  template <class F>
  auto call(F&& work) {
    process_.check();
    return take(without_gil([&] { return work(*inner_); }), true);
  }

 private:
  std::unique_ptr<mailbox::mailbox> inner_;
  one_process process_;
};

using shared_mailbox_class = py::class_<shared_mailbox, std::shared_ptr<shared_mailbox>>;

void add_mailbox_search(py::module_& m, shared_mailbox_class& c);
void add_mailbox_delivery(py::module_& m, shared_mailbox_class& c);

}  // namespace ima::python
