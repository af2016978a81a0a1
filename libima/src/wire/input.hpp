#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ima::wire {

/// Incoming octets, taken as lines and as counted runs: the one framing of both protocols
/// (docs/delivery.md section 2). What is fed is used in place; only what is left over when the fed
/// view dies is copied (keep()). Views handed out are valid until the next call of any member.
class input {
 public:
  explicit input(std::size_t max_line) : max_line_(max_line) {}

  void set_max_line(std::size_t octets) noexcept { max_line_ = octets; }

  /// Gives more octets. The view must live until keep() or until everything was taken.
  void feed(octets more);
  /// No more octets will come.
  void finish() noexcept { finished_ = true; }

  /// The next line without its LF, or nothing if it is not complete. Errors: fault::peer, rules
  /// `line-length`, `line-utf8`, `line-control`.
  result<std::optional<std::string_view>> line();

  /// Exactly `count` octets in one view, or nothing while they are not all there.
  std::optional<octets> exactly(std::size_t count);

  /// What is there, at most `max` octets; may be empty.
  octets some(std::uint64_t max);

  /// The fed view is about to die: copies what is left of it.
  void keep();

  /// Forgets what is left.
  void drop() noexcept {
    kept_.clear();
    kept_at_ = scanned_ = 0;
    fed_ = {};
  }

  bool empty() const noexcept { return kept_at_ == kept_.size() && fed_.empty(); }
  bool finished() const noexcept { return finished_; }
  /// Finished and everything taken.
  bool at_end() const noexcept { return finished_ && empty(); }

 private:
  octets view() const noexcept;
  void take(std::size_t count) noexcept;
  void join();

  std::string kept_;
  std::size_t kept_at_ = 0;
  octets fed_;
  std::size_t scanned_ = 0;  // octets at the front known to hold no LF
  std::size_t max_line_;
  bool finished_ = false;
};

}  // namespace ima::wire
