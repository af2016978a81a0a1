#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ima::tools {

/// Reads "4096", "64 KiB", "100 MiB" or "2 GiB": decimal digits, then nothing or one space and a
/// unit. Nothing where the text is anything else or too large.
std::optional<std::uint64_t> parse_octet_count(std::string_view text);

/// Reads "4096": decimal digits alone. Nothing where the text is anything else or too large.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// Reads "250ms", "60s", "10min", "1h" or "14d": decimal digits and a unit without a space. Nothing
/// where the text is anything else or too large.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace ima::tools
