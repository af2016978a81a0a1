#include "support/utf8.hpp"

#include <ima/error.hpp>

#include <fmt/format.h>

namespace ima {

std::string_view to_string(fault f) noexcept {
  switch (f) {
    case fault::peer:
      return "peer";
    case fault::caller:
      return "caller";
    case fault::temporary:
      return "temporary";
    case fault::refused:
      return "refused";
    case fault::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string error::message() const {
  std::string out;
  if (!place.empty()) out += printable(place) + ": ";
  out += printable(text);
  out += fmt::format(" [{}]", rule);
  return out;
}

namespace {

// Characters that change how the text around them is shown: bidirectional marks, embeddings,
// overrides and isolates, line and paragraph separators, the byte order mark.
bool reorders(char32_t c) {
  return c == 0x061c || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const utf8::code_point point = utf8::decode(text);
    const auto octet = static_cast<unsigned char>(text[0]);
    if (point.length == 0 || (point.value < 0x80 && utf8::is_control(point.value))) {
      out += fmt::format("\\x{:02x}", octet);
    } else if (utf8::is_control(point.value) || reorders(point.value)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
    } else {
      out += text.substr(0, point.length);
    }
    text.remove_prefix(point.length == 0 ? 1 : point.length);
  }
  return out;
}

}  // namespace ima
