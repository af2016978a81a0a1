#include "support/try.hpp"
#include "translate/fields.hpp"
#include "translate/hint.hpp"
#include "translate/part_builder.hpp"

#include <ima/translate/mime_to_message.hpp>

#include <algorithm>
#include <utility>

namespace ima::translate {
namespace {

// What a header block has for fields, and how much of it is left for those that matter more.
struct field_room {
  std::size_t all;
  std::size_t kept_for_known;
  std::size_t kept_for_author;
};

field_room room_in(std::size_t header_block, bool for_all) {
  if (for_all) return {header_block, 0, 0};
  return {header_block / 2, 40 * 1024, 10 * 1024};
}

bool is_known(std::string_view field) {
  static constexpr std::string_view names[] = {"to",       "cc",         "bcc",        "sender",
                                               "subject",  "date",       "message-id", "reply-to",
                                               "received", "references", "in-reply-to"};
  return std::find(std::begin(names), std::end(names), field) != std::end(names);
}

// Fields that a part line says, where the message is one part.
bool is_of_part(std::string_view field) {
  return field == "content-disposition" || field == "content-id";
}

std::size_t octets_of(const std::vector<owned_line>& lines) {
  std::size_t sum = 0;
  for (const owned_line& line : lines) sum += line.name.size() + line.value.size() + 3;
  return sum;
}

// The header lines of a message's fields, as many as there is room for.
struct header_lines {
  std::vector<owned_line> lines;
  std::vector<remark> remarks;
  bool cut = false;
};

header_lines translate_fields(const entity& message, const field_room& has, const limits& bounds) {
  header_lines out;
  std::size_t room = has.all;
  field_translator translator(bounds);
  for (const mime_field& field : message.fields) {
    const std::string name = lower(field.name);
    if (is_one_part(message) && is_of_part(name)) continue;
    const std::size_t kept = name == "from"   ? 0
                             : is_known(name) ? has.kept_for_author
                                              : has.kept_for_known;
    auto made = translator.translate(field);
    const std::size_t size = octets_of(made);
    if (size + std::min(kept, room) > room) {
      out.cut = true;
      continue;
    }
    room -= size;
    std::move(made.begin(), made.end(), std::back_inserter(out.lines));
  }
  out.remarks = translator.remarks();
  const bool written = std::any_of(out.lines.begin(), out.lines.end(),
                                   [](const owned_line& line) { return line.name == "from"; });
  if (!written) out.lines.insert(out.lines.begin(), {"from", std::string(unknown_author)});
  return out;
}

// The line that says how the parts nest, where their roles do not.
std::string structure_line(const made_parts& made) {
  std::vector<leaf_traits> traits;
  for (std::size_t i = 0; i < made.parts.size(); ++i)
    if (made.parts[i].original == 0)
      traits.push_back(traits_of(i + 1, made.parts[i].words, made.parts[i].role));
  if (structure_by_roles(traits) == made.structure) return {};
  return write_structure(made.structure);
}

}  // namespace

struct mime_to_message::state {
  body_source& mail;
  std::uint64_t size;
  limits bounds;
  made_parts made;
  std::optional<header_block> header;

  result<void> run();
  result<void> build(const entity_tree& tree, bool all_fields);
  std::vector<owned_line> part_lines();
};

// The lines about the body.
std::vector<owned_line> mime_to_message::state::part_lines() {
  std::vector<owned_line> out;
  std::string structure = structure_line(made);
  if (structure.size() > bounds.header_line - 20)
    made.remarks.push_back({"structure", "", "nests in a way that no header line can say"});
  else if (!structure.empty())
    out.push_back({"mime-structure", std::move(structure)});
  for (std::string& line : write_around(made.structure))
    out.push_back({"mime-multipart", std::move(line)});
  for (const made_part& part : made.parts) out.push_back({"part", part.line()});
  return out;
}

// Makes the header block, if there is room for it: for all fields, or for those that matter.
result<void> mime_to_message::state::build(const entity_tree& tree, bool all_fields) {
  const field_room room = room_in(bounds.header_block, all_fields);
  header_lines fields = translate_fields(tree.all[0], room, bounds);
  if (all_fields && fields.cut) return {};
  const bool said =
      !tree.fields_cut && !tree.broken_header && !fields.cut && fields.remarks.empty();
  const bool keep = !said && tree.all[0].body_at > 0;
  IMA_TRY(parts, build_parts(mail, tree, keep));
  made = std::move(parts);
  made.remarks.insert(made.remarks.begin(), fields.remarks.begin(), fields.remarks.end());
  std::vector<owned_line> lines = std::move(fields.lines);
  for (owned_line& line : part_lines()) lines.push_back(std::move(line));
  constexpr std::size_t around = std::string_view("ima: 1\n\n").size();
  if (made.parts.size() > bounds.parts || octets_of(lines) + around > bounds.header_block)
    return {};
  header_builder builder;
  for (const owned_line& line : lines) builder.field(line.name, line.value);
  IMA_TRY(block, builder.build(bounds));
  header = with_hint(block, tree.all[0].field("ima-header"), bounds);
  return {};
}

result<void> mime_to_message::state::run() {
  scan_bounds scan;
  scan.entities = std::min(scan.entities, 2 * std::min(scan.entities, bounds.parts));
  IMA_TRY(tree, scan_entities(mail, size, scan));
  for (const bool all_fields : {true, false}) {
    if (!tree.entities_cut) IMA_CHECK(build(tree, all_fields));
    if (header) return {};
  }
  // Too many parts, or too much to say of them: the body stays as it is.
  scan.depth = 0;
  IMA_TRY(flat, scan_entities(mail, size, scan));
  IMA_CHECK(build(flat, false));
  made.remarks.push_back({"entities", "", "has too many parts; they are kept as one"});
  if (header) return {};
  return error{fault::caller, "header-limit", "", "the limits leave no room for a header block"};
}

mime_to_message::mime_to_message(std::unique_ptr<state> s) : state_(std::move(s)) {}
mime_to_message::mime_to_message(mime_to_message&&) noexcept = default;
mime_to_message& mime_to_message::operator=(mime_to_message&&) noexcept = default;
mime_to_message::~mime_to_message() = default;

result<mime_to_message> mime_to_message::translate(body_source& mail, std::uint64_t size,
                                                   const limits& bounds) {
  auto s = std::make_unique<state>(state{mail, size, bounds, {}, std::nullopt});
  IMA_CHECK(s->run());
  return mime_to_message(std::move(s));
}

const header_block& mime_to_message::header() const noexcept { return *state_->header; }
std::span<const remark> mime_to_message::remarks() const noexcept { return state_->made.remarks; }

result<void> mime_to_message::write_body(const octet_writer& take) {
  for (const made_part& part : state_->made.parts)
    IMA_CHECK(read_leaf(state_->mail, part.plan, take));
  return {};
}

}  // namespace ima::translate
