#include <ima/terminal_text.hpp>

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

}  // namespace

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
