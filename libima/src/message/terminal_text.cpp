#include "support/utf8.hpp"

#include <ima/terminal_text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ima {
namespace {

// How many octets of a character that begins with this one there are in UTF-8.
std::size_t length_by_first(unsigned char first) noexcept {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

// How many octets at the end are a character that is not complete.
std::size_t incomplete_at_end(std::string_view text) noexcept {
  for (std::size_t count = 1; count <= std::min<std::size_t>(3, text.size()); ++count) {
    const auto octet = static_cast<unsigned char>(text[text.size() - count]);
    if ((octet & 0xc0) != 0x80) return length_by_first(octet) > count ? count : 0;
  }
  return 0;
}

// Not the ideographic space, nor the joiners, which names in Japanese, Persian or Hindi have.
bool is_unusual_space(char32_t c) {
  return c == 0xa0 || c == 0xad || c == 0x1680 || c == 0x180e || (c >= 0x2000 && c <= 0x200b) ||
         c == 0x202f || (c >= 0x205f && c <= 0x2064) || c == 0x2800 || c == 0x3164;
}

}  // namespace

std::string printable_name(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const utf8::code_point point = utf8::decode(text);
    const std::size_t length = std::max<std::size_t>(point.length, 1);
    if (is_unusual_space(point.value))
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
    else
      out += printable(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

std::string terminal_text::next(octets piece) {
  std::string text = std::exchange(cut_, {}) + std::string(piece);
  const std::size_t kept = incomplete_at_end(text);
  cut_ = text.substr(text.size() - kept);
  text.resize(text.size() - kept);
  return show(text);
}

std::string terminal_text::end() {
  std::string out = show(std::exchange(cut_, {}));
  if (std::exchange(line_open_, false)) out += '\n';
  return out;
}

std::string terminal_text::show(std::string_view text) {
  std::string out;
  if (!text.empty()) line_open_ = !text.ends_with('\n');
  while (!text.empty()) {
    const std::size_t stop = std::min(text.find_first_of("\n\t"), text.size());
    out += printable(text.substr(0, stop));
    if (stop < text.size()) out += text[stop] == '\n' ? "\n" : "    ";
    text.remove_prefix(std::min(stop + 1, text.size()));
  }
  return out;
}

}  // namespace ima
