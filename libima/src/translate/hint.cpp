#include "translate/hint.hpp"

#include "message/header_grammar.hpp"
#include "translate/derived.hpp"
#include "translate/escape.hpp"
#include "translate/leaf.hpp"
#include "translate/part_builder.hpp"
#include "translate/part_writer.hpp"
#include "translate/structure.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ima::translate {
namespace {

using said = std::pair<std::string, std::string>;

// Runs of spaces as one: encoding words does not keep them.
std::string squashed(std::string_view value) {
  std::string out;
  for (const char c : value)
    if (c != ' ' || !out.ends_with(' ')) out += c;
  return out;
}

// What the lines say, whatever their order.
std::vector<said> sayings(const header_block& block) {
  std::vector<said> out;
  for (const header_field& f : block.fields())
    if (f.name != "part" && f.name != "mime-structure" && f.name != "mime-multipart" &&
        !grammar::is_envelope(f.name))
      out.emplace_back(f.name, squashed(f.value));
  std::sort(out.begin(), out.end());
  return out;
}

// The parameters as mail says them, but for what it says in another place.
std::vector<said> params_of(const part_info& part) {
  const parametrised type{std::string(part.media_type), written_params(part)};
  std::vector<said> out;
  for (const parameter& p : parse_parametrised(write_parametrised(type)).params)
    if (p.name != "name" || !is_name_of(part.name, p.value)) out.emplace_back(p.name, p.value);
  std::sort(out.begin(), out.end());
  return out;
}

// Names and ids are compared as mail can say them. `line` is that of `meant`.
bool same_part(const part_info& made, const part_info& meant, std::string_view line) {
  const std::string_view cid = is_content_id(meant.cid) ? meant.cid : std::string_view();
  return made.size == meant.size && made.sha256 == meant.sha256 &&
         made.media_type == meant.media_type && made.cid == cid &&
         is_name_of(made.name, file_name(meant, kept_attributes(line))) &&
         params_of(made) == params_of(meant);
}

// How the parts nest that mail has: those that `derived` does not name.
node structure_of(const header_block& block, const std::vector<bool>& derived) {
  std::vector<leaf_traits> traits;
  for (std::size_t i = 0; i < derived.size(); ++i)
    if (!derived[i]) traits.push_back(traits_of(i + 1, block.parts()[i]));
  return as_read(structure_of(block.first("mime-structure"), traits),
                 [&](std::size_t part) { return std::string(block.parts()[part - 1].media_type); });
}

// `made` was made of mail, so its parts were made from another just where it says so.
bool same(const header_block& made, const header_block& meant) {
  const auto left = made.parts();
  const auto right = meant.parts();
  if (left.size() != right.size()) return false;
  const auto lines = meant.all("part");
  for (std::size_t i = 0; i < left.size(); ++i)
    if (!same_part(left[i], right[i], lines[i])) return false;
  std::vector<bool> derived;
  for (const std::string_view line : made.all("part")) derived.push_back(original_of(line) != 0);
  return sayings(made) == sayings(meant) &&
         structure_of(made, derived) == structure_of(meant, derived);
}

std::optional<header_block> parsed(std::string_view text, const limits& bounds) {
  auto block = header_block::parse(text, bounds);
  return block ? std::optional(*block) : std::nullopt;
}

}  // namespace

std::string without_envelope(const header_block& block) {
  std::string out;
  for (const header_field& f : block.fields())
    if (!grammar::is_envelope(f.name)) out.append(f.name).append(": ").append(f.value).append("\n");
  return out + "\n";
}

std::string write_hint(const header_block& header) {
  return escape_field(without_envelope(header));
}

header_block with_hint(const header_block& made, std::string_view hint, const limits& bounds) {
  if (hint.empty()) return made;
  const auto text = unescape(hint);
  if (!text) return made;
  const auto meant = parsed(*text, bounds);
  if (!meant || without_envelope(*meant) != *text || !same(made, *meant)) return made;
  constexpr std::size_t version = std::string_view("ima: 1\n").size();
  std::string lines = text->substr(0, version);
  for (const header_field& f : made.fields())
    if (grammar::is_envelope(f.name))
      lines.append(f.name).append(": ").append(f.value).append("\n");
  lines += text->substr(version);
  return parsed(lines, bounds).value_or(made);
}

}  // namespace ima::translate
