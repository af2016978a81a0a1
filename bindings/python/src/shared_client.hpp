#pragma once

#include "binding.hpp"

#include <ima/net/retrieval_client.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace ima::python {

using patience = std::optional<std::chrono::milliseconds>;

/// A connection that refuses a second call while one is running, also one from inside a callback.
class shared_client {
 public:
  explicit shared_client(net::retrieval_client c) : inner_(std::move(c)) {}

  template <class F>
  auto call(patience timeout, F&& work) {
    process_.check();
    if (busy_.exchange(true))
      raise({fault::caller, "in-use", "", "another call of this client is running"});
    struct release {
      std::atomic<bool>& busy;
      ~release() { busy = false; }
    } const at_end{busy_};
    return take(without_gil([&] {
      inner_.set_timeout(timeout);
      return work(inner_);
    }));
  }

  /// What the greeting said; it never changes.
  const std::vector<std::string>& capabilities() const { return inner_.capabilities(); }

 private:
  net::retrieval_client inner_;
  std::atomic<bool> busy_ = false;
  one_process process_;
};

using client_class = py::class_<shared_client, std::shared_ptr<shared_client>>;

void add_client_records(py::module_& m);
void add_client_folders(client_class& c);
void add_client_uploads(client_class& c);
void add_client_watching(client_class& c);

}  // namespace ima::python
