#include "translate/escape.hpp"

#include "support/utf8.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ima::translate {
namespace {

void append_escaped(std::string& out, std::string_view octets_to_escape) {
  for (const char c : octets_to_escape)
    out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
}

// The code point at the front, or one octet that is none.
struct piece {
  std::string_view text;
  bool good = false;
};

piece take_piece(std::string_view& text) {
  const utf8::code_point point = utf8::decode(text);
  const std::size_t size = point.length == 0 ? 1 : point.length;
  const piece taken{text.substr(0, size), point.length != 0 && !utf8::is_control(point.value)};
  text.remove_prefix(size);
  return taken;
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

fitted fit_line(std::string_view text, std::size_t longest) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '\t', ' ');
  spaced.erase(0, spaced.find_first_not_of(' '));
  while (spaced.ends_with(' ')) spaced.pop_back();
  fitted out{wire::clean_text(spaced, longest), false};
  out.changed = out.text != spaced;
  while (out.text.ends_with(' ')) out.text.pop_back();
  return out;
}

bool is_line_name(std::string_view name) noexcept {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = utf8::decode(text).length;
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string escape_attribute(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const piece next = take_piece(text);
    const bool plain = next.good && next.text != "%" && next.text != ";" && next.text != " ";
    if (plain)
      out += next.text;
    else
      append_escaped(out, next.text);
  }
  return out;
}

std::string escape_field(std::string_view text) {
  constexpr std::size_t longest_word = 900;  // a line of mail has 998
  std::string out;
  std::size_t word = 0;  // where the last begins
  for (const char c : text) {
    if (out.size() - word >= longest_word) {
      out += "% ";
      word = out.size();
    }
    const bool space = c == ' ' && !out.empty() && out.back() != ' ';
    if (space || (c > ' ' && c < 0x7f && c != '%'))
      out += c;
    else
      append_escaped(out, std::string_view(&c, 1));
    if (space) word = out.size();
  }
  if (out.ends_with(' ')) out.replace(out.size() - 1, 1, "%20");
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '%') {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (text.starts_with("% ")) {  // only a place to break a line
      text.remove_prefix(2);
      continue;
    }
    const int high = text.size() > 2 ? hex_value(text[1]) : -1;
    const int low = text.size() > 2 ? hex_value(text[2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    text.remove_prefix(3);
  }
  return out;
}

}  // namespace ima::translate
