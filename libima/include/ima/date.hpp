#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace ima {

/// A moment with the writer's offset from UTC (docs/message.md section 4.3):
/// `2026-11-23T09:30:00Z` or `2026-11-23T18:30:00+09:00`. Years 0001 to 9999, no leap seconds, no
/// fractions; offset zero is written `Z` only.
struct IMA_API timestamp {
  std::chrono::sys_seconds at{};   ///< The moment, to the second; UTC.
  std::chrono::minutes offset{0};  ///< What the writer's clock was ahead of UTC; -23:59 to +23:59.

  /// Error: fault::peer, rule `date-syntax`.
  static result<timestamp> parse(std::string_view text);
  /// As it stands in a `date:` line (docs/message.md section 4.3).
  std::string text() const;

  friend bool operator==(const timestamp&, const timestamp&) = default;
};

}  // namespace ima
