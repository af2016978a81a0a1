#include "support/utf8.hpp"

namespace ima::utf8 {
namespace {

struct lead {
  std::size_t length;
  char32_t bits;
  char32_t least;  // smallest value that needs this length; less is overlong
};

constexpr lead lead_of(unsigned char c) noexcept {
  if (c < 0x80) return {1, c, 0};
  if (c >= 0xc2 && c <= 0xdf) return {2, c & 0x1fU, 0x80};
  if (c >= 0xe0 && c <= 0xef) return {3, c & 0x0fU, 0x800};
  if (c >= 0xf0 && c <= 0xf4) return {4, c & 0x07U, 0x10000};
  return {0, 0, 0};
}

}  // namespace

code_point decode(std::string_view text) noexcept {
  const lead first = lead_of(static_cast<unsigned char>(text[0]));
  if (first.length == 0 || first.length > text.size()) return {};
  char32_t value = first.bits;
  for (std::size_t i = 1; i < first.length; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c & 0xc0U) != 0x80U) return {};
    value = (value << 6U) | (c & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < first.least || value > 0x10ffff || surrogate) return {};
  return {value, first.length};
}

void append(std::string& out, char32_t c) {
  const auto put = [&](char32_t octet) { out += static_cast<char>(octet); };
  const auto follow = [&](unsigned shift) { put(0x80U | ((c >> shift) & 0x3fU)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0U | (c >> 6U));
  } else if (c < 0x10000) {
    put(0xe0U | (c >> 12U));
    follow(6);
  } else {
    put(0xf0U | (c >> 18U));
    follow(12);
    follow(6);
  }
  follow(0);
}

std::size_t find_forbidden(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x20 && c < 0x7f) {  // nearly every octet of a header
      ++at;
      continue;
    }
    const code_point point = decode(text.substr(at));
    if (point.length == 0 || is_control(point.value)) return at;
    at += point.length;
  }
  return std::string_view::npos;
}

}  // namespace ima::utf8
