#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ima::utf8 {

/// One decoded code point: its value and its length in octets; length 0 where the octets are not
/// well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
struct code_point {
  char32_t value = 0;
  std::size_t length = 0;
};

/// Decodes the code point at the front of `text`, which is not empty.
code_point decode(std::string_view text) noexcept;

/// Appends a code point, which is no surrogate and at most U+10FFFF.
void append(std::string& out, char32_t c);

/// The category Cc: C0, DEL and C1.
constexpr bool is_control(char32_t c) noexcept { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

/// Position of the first octet that is not well-formed UTF-8 or is a control character, or npos.
std::size_t find_forbidden(std::string_view text) noexcept;

}  // namespace ima::utf8
