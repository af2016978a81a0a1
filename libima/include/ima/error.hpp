#pragma once

#include <ima/export.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ima {

/// Octets as they are on the wire or on disk. A view: the owner is named where one is handed out.
using octets = std::string_view;

/// Whose fault an error is, which is also what to do about it.
enum class fault : std::uint8_t {
  peer,    ///< Input breaks a rule (a message, a peer's line, a certificate). Repeating won't help.
  caller,  ///< The program called out of turn or with a bad argument or setting. State unchanged.
  temporary,  ///< A resource failed (disk, network, time). The same thing may work later.
  refused,    ///< The other side understood and said no for good.
  unknown,    ///< The outcome is not known (connection lost before a verdict). Safe to repeat.
};

/// Returns "peer", "caller", "temporary", "refused" or "unknown".
IMA_API std::string_view to_string(fault f) noexcept;

/// What went wrong: whose fault, which rule, where, and a sentence for people.
///
/// `rule` is a short stable word ("line-control", "part-digest") that the specification lists under
/// the section that makes the rule; it always refers to a string literal. `place` says where
/// ("header line 4", "part 2", "imrp.toml:12") and may be empty. `text` may quote input; whoever
/// prints it escapes it (`ima::printable`).
struct error {
  fault kind = fault::temporary;  ///< Whose fault, and so what to do about it.
  std::string_view rule;          ///< The stable word; a string literal.
  std::string place;              ///< Where; may be empty.
  std::string text;               ///< For people; may quote input, so print it escaped.

  /// "place: text [rule]", control characters escaped; one line, fit for a log or a terminal.
  IMA_API std::string message() const;

  friend bool operator==(const error&, const error&) = default;
};

/// Copies `text` with control characters, invalid UTF-8 and bidirectional overrides shown as
/// escapes (`\x1b`, `\u202e`), so that nothing a stranger wrote can drive a terminal or forge a
/// log line. So are line and paragraph separators and the byte order mark.
IMA_API std::string printable(std::string_view text);

/// A value or an error. Errors are values here: nothing in libima's own interface throws, apart
/// from std::bad_alloc. Asking the wrong one (value of a failure) is a programming error and
/// aborts. References live as long as the result; copies are independent.
template <class T>
class [[nodiscard]] result {
 public:
  /// What a success holds.
  using value_type = T;

  /// A success; implicit, so that functions just return the value.
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  /// A failure; implicit likewise.
  result(ima::error e) : state_(std::in_place_index<1>, std::move(e)) {}

  /// True for a success.
  bool has_value() const noexcept { return state_.index() == 0; }
  /// As has_value().
  explicit operator bool() const noexcept { return has_value(); }

  /// The value of a success.
  T& value() & { return *checked(); }
  /// The value of a success.
  const T& value() const& { return *const_cast<result*>(this)->checked(); }
  /// The value of a success, to be moved from.
  T&& value() && { return std::move(*checked()); }

  /// As value().
  T& operator*() & { return value(); }
  /// As value().
  const T& operator*() const& { return value(); }
  /// As value().
  T&& operator*() && { return std::move(*this).value(); }
  /// A member of the value of a success.
  T* operator->() { return &value(); }
  /// A member of the value of a success.
  const T* operator->() const { return &value(); }

  /// The error of a failure.
  const ima::error& error() const& { return *checked_error(); }
  /// The error of a failure, to be moved from.
  ima::error&& error() && { return std::move(*const_cast<ima::error*>(checked_error())); }

 private:
  T* checked() {
    T* v = std::get_if<0>(&state_);
    if (v == nullptr) __builtin_trap();
    return v;
  }
  const ima::error* checked_error() const {
    const ima::error* e = std::get_if<1>(&state_);
    if (e == nullptr) __builtin_trap();
    return e;
  }

  std::variant<T, ima::error> state_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] result<void> {
 public:
  /// There is no value.
  using value_type = void;

  result() = default;
  /// A failure; implicit, so that functions just return the error.
  result(ima::error e) : error_(std::move(e)) {}

  /// True for a success.
  bool has_value() const noexcept { return !error_; }
  /// As has_value().
  explicit operator bool() const noexcept { return has_value(); }
  /// Aborts for a failure; for code that treats all results alike.
  void value() const {
    if (error_) __builtin_trap();
  }
  /// The error of a failure.
  const ima::error& error() const& {
    if (!error_) __builtin_trap();
    return *error_;
  }
  /// The error of a failure, to be moved from.
  ima::error&& error() && {
    if (!error_) __builtin_trap();
    return std::move(*error_);
  }

 private:
  std::optional<ima::error> error_;
};

}  // namespace ima
