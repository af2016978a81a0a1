#pragma once

#include <ima/limits.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace ima::wire {

/// A counted run of octets that must come at a minimum rate. The rate is kept by windows: a wait
/// lasts limits::body_grace, and a new one begins when what is due in that time has come.
class paced_run {
 public:
  paced_run() = default;
  paced_run(std::uint64_t octets, const limits& bounds) : left_(octets) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bounds.body_grace);
    due_ =
        bounds.body_rate * static_cast<std::uint64_t>(std::max<std::int64_t>(seconds.count(), 1));
    window_ = std::min(left_, due_);
  }

  std::uint64_t left() const noexcept { return left_; }

  /// `count` octets came; true where a new window begins.
  bool take(std::uint64_t count) noexcept {
    left_ -= count;
    window_ -= std::min(window_, count);
    if (window_ > 0 || left_ == 0) return false;
    window_ = std::min(left_, due_);
    return true;
  }

 private:
  std::uint64_t left_ = 0;
  std::uint64_t due_ = 0;
  std::uint64_t window_ = 0;
};

}  // namespace ima::wire
