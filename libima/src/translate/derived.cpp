#include "translate/derived.hpp"

#include "support/try.hpp"
#include "translate/entity.hpp"
#include "translate/part_builder.hpp"
#include "translate/part_writer.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>

namespace ima::translate {
namespace {

// One part of a body as a source of its own.
class part_window : public body_source {
 public:
  part_window(body_source& body, std::uint64_t offset) : body_(body), offset_(offset) {}
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    return body_.read_at(offset_ + offset, buffer, size);
  }

 private:
  body_source& body_;
  std::uint64_t offset_;
};

// What translating the part as an entity of its own gives.
result<std::vector<made_part>> parts_made_of(const part_info& part, std::string_view line,
                                             body_source& body) {
  part_window window(body, part.offset);
  written_part as_entity = entity_of(part, kept_attributes(line), "attachment", {}, true);
  if (!as_entity.whole)  // an encoding that these octets would only get on their way out
    std::erase_if(as_entity.fields,
                  [](const mime_field& f) { return f.name == "Content-Transfer-Encoding"; });
  IMA_TRY(tree, scan_entities(window, part.size, {}, as_entity.fields));
  IMA_TRY(made, build_parts(window, tree, false));
  return std::move(made.parts);
}

// An original stands behind what was made of it, so no two parts can each explain the other.
bool names_original(std::string_view line, std::size_t number, std::size_t parts) {
  const std::size_t original = original_of(line);
  return original > number && original <= parts;
}

// `before` parts stand before the first that was made with this one.
bool is_made(const part_info& part, std::string_view line, const made_part& made,
             std::size_t before) {
  return made.original != 0 && original_of(line) == before + made.original &&
         made.size == part.size && made.sum == part.sha256 &&
         made.words.media_type == part.media_type && made.words.params == part.params &&
         made.words.cid == part.cid && made.words.name == part.name;
}

// How many parts translating an original gives before the original itself.
std::size_t made_before(const part_info& original, const std::vector<made_part>& made) {
  const auto itself = std::find_if(made.rbegin(), made.rend(), [&](const made_part& m) {
    return m.size == original.size && m.sum == original.sha256;
  });
  return itself == made.rend() ? 0 : static_cast<std::size_t>(made.rend() - itself) - 1;
}

// Marks the parts before the one with this number if they are all that it gives, and no more.
void mark_made(std::size_t number, std::span<const part_info> parts,
               const std::vector<std::string_view>& lines, const std::vector<made_part>& made,
               std::vector<bool>& out) {
  const std::size_t count = made_before(parts[number - 1], made);
  if (count >= number) return;
  const std::size_t first = number - 1 - count;
  for (std::size_t i = 0; i < count; ++i)
    if (!is_made(parts[first + i], lines[first + i], made[i], first)) return;
  for (std::size_t i = 0; i < count; ++i) out[first + i] = true;
}

}  // namespace

std::size_t original_of(std::string_view line) {
  for (const parameter& p : kept_attributes(line))
    if (p.name == "original")
      return static_cast<std::size_t>(wire::parse_number(p.value).value_or(0));
  return 0;
}

result<std::vector<bool>> derived_parts(const header_block& header, body_source& body,
                                        std::vector<remark>& remarks) {
  const auto lines = header.all("part");
  const auto parts = header.parts();
  std::vector<bool> out(parts.size(), false);
  std::set<std::size_t> originals;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (names_original(lines[i], i + 1, parts.size())) originals.insert(original_of(lines[i]));
  for (const std::size_t n : originals) {
    IMA_TRY(made, parts_made_of(parts[n - 1], lines[n - 1], body));
    mark_made(n, parts, lines, made, out);
  }
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!out[i] && original_of(lines[i]) != 0)
      remarks.push_back({"original", fmt::format("part {}", i + 1),
                         "is not what the part that it names says; both are kept"});
  return out;
}

}  // namespace ima::translate
