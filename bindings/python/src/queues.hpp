#pragma once

#include "binding.hpp"

#include <ima/service/queue.hpp>

#include <memory>
#include <utility>

namespace ima::python {

/// A queue that knows its process. It is thread-safe by itself.
class shared_queue {
 public:
  explicit shared_queue(service::queue q) : inner_(std::move(q)) {}

  template <class F>
  auto call(F&& work) {
    process_.check();
    return take(without_gil([&] { return work(inner_); }));
  }
  service::queue& inner() {
    process_.check();
    return inner_;
  }

 private:
  service::queue inner_;
  one_process process_;
};

}  // namespace ima::python
