#pragma once

#include <chrono>
#include <optional>
#include <string_view>

// The lines that begin with "From " in an mbox: those before messages, and text that looks like
// them.

namespace ima::translate {

/// The time that a line "From sender date" ends with, in UTC where it names no zone that is known
/// (RFC 4155); 1970 where it is a date that cannot be read; nothing where there is none.
std::optional<std::chrono::sys_seconds> time_of_from_line(std::string_view line);

/// Whether the line is such as programs write before a message: with a date at its end, or, as
/// Thunderbird writes it, with nothing behind "From ".
bool is_separator(std::string_view line);

}  // namespace ima::translate
