#pragma once

#include "binding.hpp"
#include "signals.hpp"

#include <ima/net/retrieval_client.hpp>

#include <algorithm>
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
  /// Who uses the connection no more, while a call of another thread's is running.
  using left_flag = std::shared_ptr<std::atomic<bool>>;

  /// A call that waits ends soon after `left` was set.
  shared_client(net::retrieval_client c, signals s, left_flag left)
      : signals_(std::move(s)),
        capabilities_(c.capabilities()),
        inner_(std::move(c)),
        left_(std::move(left)) {}

  template <class F>
  auto call(patience timeout, F&& work) {
    const in_use now(*this);
    net::retrieval_client& inner = open();
    auto done = without_gil([&] {
      inner.set_timeout(timeout);
      return work(inner);
    });
    signals_.rethrow();
    return take(std::move(done));
  }
  /// Looks after signals meanwhile; one that raises an exception leaves the connection as it is.
  std::optional<retrieval::watched_folder> wait_for_change(patience longest) {
    using clock = std::chrono::steady_clock;
    const in_use now(*this);
    const auto until = longest ? clock::now() + *longest : clock::time_point::max();
    for (;;) {
      net::retrieval_client& inner = open();
      const auto slice = std::min<clock::duration>(until - clock::now(), signal_check);
      auto found = take(without_gil([&] {
        return inner.wait_for_change(std::chrono::ceil<std::chrono::milliseconds>(slice));
      }));
      if (found || clock::now() >= until) return found;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    }
  }
  /// Closes, with a DONE before where it can still be said. A call that is running ends, and
  /// closes.
  void close(bool politely) {
    if (!process_.here()) return;
    if (busy_) {
      *left_ = true;
      return;
    }
    const in_use now(*this);
    without_gil([&] {
      if (politely && inner_) (void)inner_->done();
      inner_.reset();
    });
  }

  /// What the greeting said; it never changes.
  const std::vector<std::string>& capabilities() const { return capabilities_; }

 private:
  static constexpr std::chrono::milliseconds signal_check{100};

  net::retrieval_client& open() {
    if (!inner_ || *left_) raise({fault::caller, "out-of-turn", "", "the connection was closed"});
    return *inner_;
  }

  class in_use {
   public:
    explicit in_use(shared_client& c) : client_(c) {
      c.process_.check();
      if (c.busy_.exchange(true))
        raise({fault::caller, "in-use", "", "another call of this client is running"});
    }
    in_use(const in_use&) = delete;
    in_use& operator=(const in_use&) = delete;
    ~in_use() {
      if (*client_.left_) client_.inner_.reset();
      client_.busy_ = false;
    }

   private:
    shared_client& client_;
  };

  signals signals_;
  std::vector<std::string> capabilities_;
  std::optional<net::retrieval_client> inner_;
  left_flag left_;
  std::atomic<bool> busy_ = false;
  one_process process_;
};

using client_class = py::class_<shared_client, std::shared_ptr<shared_client>>;

void add_client_records(py::module_& m);
void add_client_folders(client_class& c);
void add_client_uploads(client_class& c);
void add_client_watching(client_class& c);

}  // namespace ima::python
