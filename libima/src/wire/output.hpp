#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace ima::wire {

/// Octets that wait to be sent.
class output {
 public:
  void line(std::string_view text) {
    waiting_ += text;
    waiting_ += '\n';
  }
  void raw(octets more) { waiting_ += more; }

  /// Valid until the next call of any other member.
  octets pending() const noexcept { return octets(waiting_).substr(sent_); }
  std::size_t size() const noexcept { return waiting_.size() - sent_; }

  /// The first `count` pending octets are on their way.
  void sent(std::size_t count) {
    sent_ += count;
    if (sent_ == waiting_.size()) {
      waiting_.clear();
      sent_ = 0;
    } else if (sent_ > waiting_.size() / 2) {  // amortised: each octet is moved at most once
      waiting_.erase(0, sent_);
      sent_ = 0;
    }
  }

 private:
  std::string waiting_;
  std::size_t sent_ = 0;
};

}  // namespace ima::wire
