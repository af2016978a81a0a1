#include "message/header_grammar.hpp"

#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

namespace ima::grammar {
namespace {

error broken(std::string_view rule, std::string text) {
  return {fault::peer, rule, "", std::move(text)};
}

bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool good_name(std::string_view name) noexcept {
  return !name.empty() && is_lower(name[0]) && name.back() != '-' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

// RFC 6838 restricted names, in lower case only so that equal types are equal octets.
bool good_type_name(std::string_view name) noexcept {
  constexpr std::string_view marks = "!#$&-^_.+";
  return !name.empty() && name.size() <= 127 && (is_lower(name[0]) || is_digit(name[0])) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return is_lower(c) || is_digit(c) || marks.find(c) != std::string_view::npos;
         });
}

bool good_role(std::string_view role) noexcept {
  constexpr std::array<std::string_view, 4> roles{"text", "alternative", "inline", "attachment"};
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

// Where an attribute of a part line is kept; unknown ones are checked for form and left to text().
std::string_view* attribute_slot(part_info& part, std::string_view name) noexcept {
  if (name == "role") return &part.role;
  if (name == "cid") return &part.cid;
  if (name == "params") return &part.params;
  return nullptr;
}

using name_set = std::set<std::string_view>;

error repeated(std::string_view name) {
  return broken("part-attribute", fmt::format("{}= stands more than once", name));
}

result<void> attribute(part_info& part, name_set& unknown, std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  if (equals == std::string_view::npos || equals + 1 == word.size() || !good_name(name))
    return broken("part-attribute", fmt::format("'{}' is not an attribute like role=inline", word));
  if (name == "sha256") return repeated(name);
  const std::string_view value = word.substr(equals + 1);
  if (name == "role" && !good_role(value))
    return broken("part-role", fmt::format("'{}' is no role of a part", value));
  std::string_view* const slot = attribute_slot(part, name);
  const bool again = slot != nullptr ? !slot->empty() : !unknown.insert(name).second;
  if (again) return repeated(name);
  if (slot != nullptr) *slot = value;
  return {};
}

// The attributes after the digest: single words, then `name=` with the rest of the line.
result<void> attributes(part_info& part, std::string_view rest) {
  name_set unknown;
  while (!rest.empty()) {
    if (rest.starts_with("name=")) {
      part.name = rest.substr(5);
      if (part.name.empty()) return broken("part-attribute", "name= is empty");
      return {};
    }
    const std::string_view word = wire::take_word(rest);
    if (word.empty()) return broken("part-syntax", "a space too many in a part line");
    IMA_CHECK(attribute(part, unknown, word));
  }
  return {};
}

}  // namespace

result<header_field> field(std::string_view line) {
  IMA_CHECK(wire::check_text(line, ""));
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || !good_name(line.substr(0, colon)))
    return broken("line-syntax", "not a header line 'name: value' with a lower-case name");
  const header_field made{line.substr(0, colon), line.substr(colon + 2)};
  if (made.value.empty()) return broken("line-syntax", "the value is empty");
  if (made.value.front() == ' ' || made.value.back() == ' ')
    return broken("line-syntax", "the value begins or ends with a space");
  return made;
}

result<void> media_type(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && good_type_name(text.substr(0, slash)) &&
      good_type_name(text.substr(slash + 1)))
    return {};
  return broken("media-type", fmt::format("'{}' is not a lower-case media type", text));
}

result<part_info> part(std::string_view value) {
  part_info made;
  std::string_view rest = value;
  const auto size = wire::parse_number(wire::take_word(rest));
  if (!size) return broken("part-length", "a part line begins with the part's length in octets");
  made.size = *size;
  made.media_type = wire::take_word(rest);
  IMA_CHECK(media_type(made.media_type));
  const std::string_view sum = wire::take_word(rest);
  if (!sum.starts_with("sha256="))
    return broken("part-syntax", "sha256= must follow the media type of a part");
  IMA_TRY(parsed, digest::parse(sum.substr(7)));
  made.sha256 = parsed;
  IMA_CHECK(attributes(made, rest));
  return made;
}

}  // namespace ima::grammar
