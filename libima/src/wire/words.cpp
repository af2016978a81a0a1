#include "wire/words.hpp"

#include "support/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace ima::wire {

std::string_view take_word(std::string_view& line) noexcept {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  if (space == std::string_view::npos) {
    line = {};
  } else if (space + 1 == line.size()) {
    return {};  // the space ends the line: no word may follow it, so the line is not well-formed
  } else {
    line.remove_prefix(space + 1);
  }
  return word;
}

std::string_view take_up_to(std::string_view& text, char end) noexcept {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

result<void> check_text(std::string_view text, std::string_view place) {
  const std::size_t at = utf8::find_forbidden(text);
  if (at == std::string_view::npos) return {};
  const utf8::code_point point = utf8::decode(text.substr(at));
  std::string where = fmt::format("{}, octet {}", place, at + 1);
  if (point.length == 0)
    return error{fault::peer, "line-utf8", std::move(where), "not well-formed UTF-8"};
  return error{fault::peer, "line-control", std::move(where),
               fmt::format("control character U+{:04X}", static_cast<unsigned>(point.value))};
}

std::string clean_text(std::string_view text, std::size_t max) {
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string out;
  while (!text.empty()) {
    const utf8::code_point point = utf8::decode(text);
    const bool good = point.length != 0 && !utf8::is_control(point.value);
    const std::string_view piece = good ? text.substr(0, point.length) : replacement;
    if (out.size() + piece.size() > max) break;
    out += piece;
    text.remove_prefix(point.length == 0 ? 1 : point.length);
  }
  return out;
}

}  // namespace ima::wire
