#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima {

/// How much an event matters: `debug` is for developers, the others for whoever runs a server.
enum class log_level : std::uint8_t { debug, info, warning, error };

/// One thing that happened: a stable name ("message-finished") and stable keys with their values
/// (docs/operating.md section 8). Never a password, never a body. Values may quote strangers;
/// whoever prints escapes.
struct log_event {
  log_level level = log_level::info;  ///< How much it matters.
  std::string_view name;              ///< A stable word ("listening"); a string literal.
  /// Names, which are string literals too, and values; values may quote input, so who prints them
  /// escapes them.
  std::vector<std::pair<std::string_view, std::string>> fields;
};

/// Where the library's events go. Implementations are thread-safe and do not block for long.
class log_sink {
 public:
  virtual ~log_sink() = default;
  /// Takes one event, which lives during the call. Must not throw.
  virtual void write(const log_event& event) = 0;
};

}  // namespace ima
