#pragma once

#include "net/asio.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

namespace ima::net {

/// Runs a loop for a call that waits, and asks now and then whether somebody interrupts it.
class interruption {
 public:
  using clock = std::chrono::steady_clock;

  /// `asked` may be empty; it outlives this.
  explicit interruption(const std::function<bool()>& asked)
      : asked_(asked), next_(asked ? clock::now() + interval : clock::time_point::max()) {}

  /// Runs what is ready first, or waits for it, until `deadline` at most; true where the call is
  /// interrupted.
  bool run_one(asio::io_context& loop, clock::time_point deadline) {
    loop.run_one_until(std::min(deadline, next_));
    if (clock::now() < next_) return false;
    next_ = clock::now() + interval;
    return asked_();
  }

 private:
  static constexpr std::chrono::milliseconds interval{100};

  const std::function<bool()>& asked_;
  clock::time_point next_;
};

}  // namespace ima::net
