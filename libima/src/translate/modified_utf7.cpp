#include "translate/modified_utf7.hpp"

#include "support/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace ima::translate {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool is_plain(char c) noexcept { return c >= ' ' && c < 0x7f; }

std::u16string utf16_of(char32_t c) {
  if (c < 0x10000) return {static_cast<char16_t>(c)};
  c -= 0x10000;
  return {static_cast<char16_t>(0xd800 + (c >> 10U)), static_cast<char16_t>(0xdc00 + (c & 0x3ffU))};
}

std::string base64_of(std::u16string_view units) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char16_t unit : units) {
    bits = (bits << 16U) | unit;
    for (count += 16; count >= 6; count -= 6) out += digits[(bits >> (count - 6)) & 0x3fU];
  }
  if (count > 0) out += digits[(bits << (6 - count)) & 0x3fU];
  return out;
}

// Nothing where it is not base64 of whole units, with zeros behind them.
std::optional<std::u16string> units_of(std::string_view base64) {
  std::u16string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : base64) {
    const std::size_t value = digits.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 16) continue;
    count -= 16;
    out += static_cast<char16_t>(bits >> count);
  }
  const bool rest_is_zero = count < 6 && (bits & ((1U << count) - 1)) == 0;
  return rest_is_zero ? std::optional(out) : std::nullopt;
}

// Nothing for half of a pair, and for what is written as itself.
std::optional<std::string> utf8_of(std::u16string_view units) {
  std::string out;
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t c = units[i];
    if (c >= 0xd800 && c < 0xdc00 && i + 1 < units.size() && (units[i + 1] & 0xfc00U) == 0xdc00)
      c = 0x10000 + ((c - 0xd800) << 10U) + (units[++i] - 0xdc00U);
    if (c < 0x80 || (c >= 0xd800 && c < 0xe000)) return std::nullopt;
    utf8::append(out, c);
  }
  return out;
}

// What stands between "&" and "-".
std::optional<std::string> decoded(std::string_view base64) {
  if (base64.empty()) return "&";
  const auto units = units_of(base64);
  return units ? utf8_of(*units) : std::nullopt;
}

}  // namespace

std::string to_modified_utf7(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    std::u16string run;
    while (!name.empty() && !is_plain(name.front())) {
      const auto c = utf8::decode(name);
      run += utf16_of(c.value);
      name.remove_prefix(std::max<std::size_t>(c.length, 1));
    }
    if (!run.empty()) out += "&" + base64_of(run) + "-";
    if (name.empty()) break;
    out += name.front();
    if (name.front() == '&') out += '-';
    name.remove_prefix(1);
  }
  return out;
}

std::string from_modified_utf7(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('-');
    const auto made = text.front() == '&' && end != std::string_view::npos
                          ? decoded(text.substr(1, end - 1))
                          : std::nullopt;
    out += made ? std::string_view(*made) : text.substr(0, 1);
    text.remove_prefix(made ? end + 1 : 1);
  }
  return out;
}

}  // namespace ima::translate
