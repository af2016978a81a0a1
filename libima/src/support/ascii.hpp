#pragma once

#include <string>
#include <string_view>

namespace ima {

/// A capital letter of ASCII as its small one, whatever the locale; anything else as it is.
constexpr char lower_ascii(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The same for each octet.
inline std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower_ascii(c);
  return out;
}

}  // namespace ima
