#include "translate/derived.hpp"

#include "support/try.hpp"
#include "translate/entity.hpp"
#include "translate/part_builder.hpp"
#include "translate/part_writer.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

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

bool is_among(const part_info& part, const std::vector<made_part>& made) {
  return std::any_of(made.begin(), made.end(), [&](const made_part& m) {
    return m.size == part.size && m.sum == part.sha256 && m.words.media_type == part.media_type;
  });
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
  std::map<std::size_t, std::vector<made_part>> made;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t original = original_of(lines[i]);
    if (original == 0) continue;
    // An original stands behind what was made of it, so no two parts can each explain the other.
    if (original > i + 1 && original <= parts.size()) {
      if (!made.contains(original)) {
        IMA_TRY(found, parts_made_of(parts[original - 1], lines[original - 1], body));
        made.emplace(original, std::move(found));
      }
      out[i] = is_among(parts[i], made.at(original));
    }
    if (!out[i])
      remarks.push_back({"original", fmt::format("part {}", i + 1),
                         "is not what the part that it names says; both are kept"});
  }
  return out;
}

}  // namespace ima::translate
