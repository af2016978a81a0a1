#pragma once

#include <ima/limits.hpp>

#include <algorithm>
#include <cstdint>

namespace ima::wire {

/// The octets of a body that are due within limits::body_grace, at its minimum rate; one at least.
inline std::uint64_t due_in_grace(const limits& bounds) {
  const auto grace = static_cast<std::uint64_t>(bounds.body_grace.count());
  return std::max<std::uint64_t>(1, bounds.body_rate * grace / 1000);
}

/// A counted run of octets that must come at a minimum rate. The rate is kept by windows: a wait
/// lasts limits::body_grace, and a new one begins when what is due in that time has come.
class paced_run {
 public:
  paced_run() = default;
  paced_run(std::uint64_t octets, const limits& bounds)
      : left_(octets), due_(due_in_grace(bounds)), window_(std::min(left_, due_)) {}

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
