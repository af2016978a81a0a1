#include "wire/input.hpp"

#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima::wire {

// Invariant: what is unread is kept_[kept_at_..] followed by fed_. view() looks at one of the two;
// join() makes them one where a line or a count spans both.

octets input::view() const noexcept {
  if (kept_at_ < kept_.size()) return octets(kept_).substr(kept_at_);
  return fed_;
}

void input::take(std::size_t count) noexcept {
  scanned_ = 0;
  if (kept_at_ < kept_.size()) {
    kept_at_ += count;
  } else {
    fed_.remove_prefix(count);
  }
}

void input::join() {
  if (fed_.empty() || kept_at_ == kept_.size()) return;
  keep();
}

void input::feed(octets more) {
  if (!fed_.empty()) keep();
  fed_ = more;
}

// What was taken goes once it is at least half of what is kept: each octet is moved a bounded
// number of times, however many lines a peer sends ahead.
void input::keep() {
  if (kept_at_ > kept_.size() / 2) kept_.erase(0, std::exchange(kept_at_, 0));
  kept_.append(fed_);
  fed_ = {};
}

result<std::optional<std::string_view>> input::line() {
  join();
  const octets unread = view();
  const std::size_t end = unread.find('\n', scanned_);
  const std::size_t length = end == octets::npos ? unread.size() : end;
  if (length >= max_line_)
    return error{fault::peer, "line-length", "",
                 fmt::format("a line is longer than {} octets", max_line_)};
  if (end == octets::npos) {
    scanned_ = unread.size();
    return std::optional<std::string_view>();
  }
  const std::string_view text = unread.substr(0, end);
  take(end + 1);
  if (auto good = check_text(text, "line"); !good) return std::move(good).error();
  return std::optional(text);
}

std::optional<octets> input::exactly(std::size_t count) {
  if (view().size() < count) join();
  const octets unread = view();
  if (unread.size() < count) return std::nullopt;
  take(count);
  return unread.substr(0, count);
}

octets input::some(std::uint64_t max) {
  const octets unread = view();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(max, unread.size()));
  take(count);
  return unread.substr(0, count);
}

}  // namespace ima::wire
