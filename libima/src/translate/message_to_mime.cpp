#include "support/try.hpp"
#include "translate/derived.hpp"
#include "translate/escape.hpp"
#include "translate/fields.hpp"
#include "translate/hint.hpp"
#include "translate/part_builder.hpp"
#include "translate/part_writer.hpp"

#include <ima/translate/message_to_mime.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace ima::translate {
namespace {

// The values of the part lines, in order.
std::vector<std::string_view> part_lines(const header_block& header) { return header.all("part"); }

bool is_multipart(const part_info& part) { return part.media_type.starts_with("multipart/"); }

// The text before the parts, or behind them, where mail keeps it as it is.
std::string outside_text(const std::vector<parameter>& around, std::string_view name) {
  const auto found = std::find_if(around.begin(), around.end(),
                                  [&](const parameter& p) { return p.name == name; });
  const auto text = found == around.end() ? std::nullopt : unescape(found->value);
  const bool kept = text && text->size() <= longest_outside && trim(*text) == *text &&
                    text->find('\r') == std::string::npos;
  return kept ? *text : std::string();
}

// What is around the parts, as it can be read again: fields, but not those of the message, and text
// that is short enough.
void keep_readable(node& n, bool root) {
  std::vector<parameter> said;
  std::swap(said, n.around);
  for (const parameter& p : said) {
    const auto value = field_value(p.value);
    if (!root && value && !shapes_body(p.name))
      keep_field(n.around, p.name, seven_bit_text(*value));
  }
  for (const std::string_view name : {"preamble", "epilogue"}) {
    const std::string text = outside_text(said, name);
    if (!text.empty()) n.around.push_back({std::string(name), escape_attribute(text)});
  }
  for (node& child : n.children) keep_readable(child, false);
}

void add_missing(std::vector<parameter>& into, const std::vector<parameter>& from) {
  for (const parameter& p : from) {
    const bool there = std::any_of(into.begin(), into.end(),
                                   [&](const parameter& had) { return had.name == p.name; });
    if (!there) into.push_back(p);
  }
}

std::string boundary_of(const header_block& header, std::size_t number) {
  const std::string seed = fmt::format("{} {}", header.id_digest().hex(), number);
  return "=_" + digest::of(seed).hex().substr(0, 40);
}

// Writes lines with the line end that the whole mail has.
class mail_writer {
 public:
  mail_writer(const octet_writer& take, bool crlf) : take_(take), crlf_(crlf) {}

  std::string_view line_end() const noexcept { return crlf_ ? "\r\n" : "\n"; }
  result<void> raw(octets text) { return text.empty() ? result<void>() : take_(text); }
  result<void> lines(octets text) {
    if (!crlf_) return raw(text);
    std::string out;
    for (const char c : text) {
      if (c == '\n') out += '\r';
      out += c;
    }
    return raw(out);
  }
  result<void> field(const mime_field& f) { return raw(fold_field(f.name, f.value, line_end())); }

 private:
  const octet_writer& take_;
  bool crlf_;
};

}  // namespace

struct message_to_mime::state {
  header_block header;
  body_source& body;
  limits bounds;
  std::vector<remark> remarks{};
  std::vector<bool> left_out{};     // parts that were made from another, which is written
  std::vector<std::size_t> said{};  // for each part, the one whose place and names it has in mail
  std::vector<octet_traits> traits{};
  std::vector<written_part> parts{};
  std::vector<mime_field> fields{};
  node structure{};
  bool crlf = false;

  result<void> prepare();
  result<void> look_at_parts();
  void find_said();
  std::vector<parameter> attributes_of(std::size_t index) const;
  std::string written_type(std::size_t part) const;
  node nesting() const;
  void write_entities();
  entity entity_written(std::size_t index) const;
  void look_at_lengths();
  std::string said_back() const;

  result<void> write_node(const node& n, std::size_t& number, bool root, mail_writer& out);
  result<void> write_multipart(const node& n, std::size_t& number, mail_writer& out);
  result<void> write_part(std::size_t index, mail_writer& out);
};

result<void> message_to_mime::state::look_at_parts() {
  bool crlf_only = true;
  bool whole = false;
  bool open_end = false;
  for (std::size_t i = 0; i < header.parts().size(); ++i) {
    IMA_TRY(found, traits_of(body, header.parts()[i], i + 1));
    traits.push_back(found);
    if (!found.utf8)
      remarks.push_back(
          {"charset", fmt::format("part {}", i + 1), "is text and not UTF-8; its octets are kept"});
    const std::string_view type = header.parts()[i].media_type;
    // An original may be written in the encoding that it has.
    open_end = open_end || (said[i] != i && found.ends_in_cr);
    if (left_out[i] || !(type.starts_with("multipart/") || type.starts_with("message/"))) continue;
    whole = true;
    crlf_only = crlf_only && found.only_crlf;
    open_end = open_end || found.ends_in_cr;
  }
  // A CR at the end would become one with the LF before a boundary.
  crlf = (whole && crlf_only) || open_end;
  for (std::size_t i = 0; i < traits.size(); ++i)
    traits[i].foreign_ends = crlf && traits[i].lf && !header.parts()[i].name.empty();
  return {};
}

// What was made of octets that are broken or signed, and is left out, stands before them: its first
// part says where they stand in mail, and how they are called there.
void message_to_mime::state::find_said() {
  const auto lines = part_lines(header);
  for (std::size_t i = 0; i < lines.size(); ++i) said.push_back(i);
  for (std::size_t i = lines.size(); i > 0; --i)
    if (left_out[i - 1]) said[original_of(lines[i - 1]) - 1] = i - 1;
}

// The attributes with which the part is written. Octets that stand for nothing are only octets,
// whatever their line says of the type that they had.
std::vector<parameter> message_to_mime::state::attributes_of(std::size_t index) const {
  const auto lines = part_lines(header);
  auto kept = kept_attributes(lines[index]);
  if (said[index] == index)
    std::erase_if(kept, [](const parameter& p) {
      return p.name == "content-type" || p.name == "content-transfer-encoding";
    });
  else if (!is_multipart(header.parts()[index]))
    add_missing(kept, kept_attributes(lines[said[index]]));
  return kept;
}

std::string message_to_mime::state::written_type(std::size_t part) const {
  const auto& info = header.parts()[part - 1];
  entity e;
  e.fields = entity_of(info, attributes_of(part - 1), "attachment", {}, true).fields;
  return parse_parametrised(e.field("content-type")).value;
}

// The nesting that the header says, made complete: every part that is written stands in it once.
node message_to_mime::state::nesting() const {
  std::vector<leaf_traits> written;
  for (std::size_t i = 0; i < header.parts().size(); ++i) {
    if (!left_out[i]) written.push_back(traits_of(i + 1, header.parts()[i]));
  }
  node made = structure_of(header.first("mime-structure"), written);
  read_around(made, header.all("mime-multipart"));
  keep_readable(made, true);
  return as_read(std::move(made), [this](std::size_t part) { return written_type(part); });
}

void message_to_mime::state::write_entities() {
  for (std::size_t i = 0; i < header.parts().size(); ++i) {
    const part_info& part = header.parts()[i];
    const bool multipart = is_multipart(part);
    const std::size_t named = multipart ? i : said[i];
    const leaf_traits leaf = traits_of(named + 1, header.parts()[named]);
    const bool root = structure.subtype.empty() && structure.part == i + 1;
    parts.push_back(entity_of(part, attributes_of(i), role_or_default(leaf), traits[i], root));
    // A multipart that nothing was made from is to stay one part.
    if (multipart && part.media_type != "multipart/encrypted" && said[i] == i)
      parts.back().fields.push_back({"Content-IMA", "exact"});
  }
}

// A part as it will be read.
entity message_to_mime::state::entity_written(std::size_t index) const {
  entity e;
  e.fields = parts[index].fields;
  e.type = parse_parametrised(e.field("content-type"));
  e.typed = true;
  return e;
}

// What one line of a message cannot say again has its header kept when it is read.
void message_to_mime::state::look_at_lengths() {
  constexpr std::string_view text = "is so long that it cannot come back from mail the same";
  const bool root = structure.subtype.empty();
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!left_out[i] && !describe(entity_written(i), root).complete)
      remarks.push_back({"length", fmt::format("part {}", i + 1), std::string(text)});
  if (params_octets(structure) > longest_multipart_params)
    remarks.push_back({"length", "mime-structure", std::string(text)});
}

// The header block that translating this mail back would give without a hint, as far as that can be
// told without doing it.
std::string message_to_mime::state::said_back() const {
  std::string out = "ima: 1\n";
  for (const owned_line& line : translate_all(fields, bounds))
    if (line.name != "bcc" && line.name != "received") out += line.name + ": " + line.value + "\n";
  std::vector<part_words> words;
  std::vector<leaf_traits> leaves;
  std::vector<entity> entities;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const entity& e = entities.emplace_back(entity_written(i));
    words.push_back(describe(e, structure.subtype.empty()));
    leaves.push_back(traits_of(i + 1, words.back(), {}));
    const auto disposition = parse_parametrised(e.field("content-disposition"));
    leaves.back().attached = disposition.value == "attachment";
  }
  assign_roles(structure, leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i)
    leaves[i].role = settle_role(words[i], leaves[i], entities[i]);
  if (structure_by_roles(leaves) != structure)
    out += "mime-structure: " + write_structure(structure) + "\n";
  for (const std::string& line : write_around(structure)) out += "mime-multipart: " + line + "\n";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const part_info& part = header.parts()[i];
    out += "part: " + part_line(part.size, part.sha256, words[i], leaves[i].role, 0) + "\n";
  }
  return out + "\n";
}

result<void> message_to_mime::state::prepare() {
  IMA_TRY(derived, derived_parts(header, body, remarks));
  left_out = std::move(derived);
  find_said();
  IMA_CHECK(look_at_parts());
  structure = nesting();
  write_entities();
  look_at_lengths();
  fields = write_fields(header.fields(), bounds, remarks);
  const bool plain = std::find(left_out.begin(), left_out.end(), true) == left_out.end();
  if (!plain || said_back() != without_envelope(header))
    fields.push_back({"IMA-Header", write_hint(header)});
  return {};
}

result<void> message_to_mime::state::write_part(std::size_t index, mail_writer& out) {
  const part_info& part = header.parts()[index];
  const leaf_plan plan{part.offset, part.offset + part.size, transfer::identity, false, false, {}};
  if (parts[index].whole) {
    IMA_CHECK(read_leaf(body, plan, [&](octets piece) { return out.raw(piece); }));
    return {};
  }
  transfer_encoder encoder(parts[index].encoding);
  std::string encoded;
  IMA_CHECK(read_leaf(body, plan, [&](octets piece) {
    encoded.clear();
    encoder.encode(piece, encoded);
    return out.lines(encoded);
  }));
  encoded.clear();
  encoder.finish(encoded);
  return out.lines(encoded);
}

result<void> message_to_mime::state::write_multipart(const node& n, std::size_t& number,
                                                     mail_writer& out) {
  const std::string boundary = boundary_of(header, number++);
  parametrised type{"multipart/" + n.subtype, {}};
  for (const parameter& p : n.params)
    if (p.name != "boundary") type.params.push_back(p);
  if (n.subtype == "related" && type.param("type").empty() && !n.children.empty()) {
    const auto leaf_type = [this](std::size_t part) { return written_type(part); };
    type.params.push_back({"type", type_of(n.children.front(), leaf_type)});
  }
  type.params.push_back({"boundary", boundary});
  IMA_CHECK(out.field({"Content-Type", write_parametrised(type)}));
  for (const parameter& p : n.around)
    if (p.name != "preamble" && p.name != "epilogue")
      IMA_CHECK(
          out.field({capitalised(p.name), seven_bit_text(field_value(p.value).value_or(""))}));
  const std::string preamble = outside_text(n.around, "preamble");
  if (!preamble.empty()) IMA_CHECK(out.lines("\n" + preamble + "\n"));
  for (const node& child : n.children) {
    IMA_CHECK(out.lines("\n--" + boundary + "\n"));
    IMA_CHECK(write_node(child, number, false, out));
  }
  IMA_CHECK(out.lines("\n--" + boundary + "--\n"));
  const std::string epilogue = outside_text(n.around, "epilogue");
  return epilogue.empty() ? result<void>() : out.lines(epilogue + "\n");
}

result<void> message_to_mime::state::write_node(const node& n, std::size_t& number, bool root,
                                                mail_writer& out) {
  if (root) {
    for (const mime_field& f : fields) IMA_CHECK(out.field(f));
    IMA_CHECK(out.field({"MIME-Version", "1.0"}));
  }
  if (!n.subtype.empty()) return write_multipart(n, number, out);
  if (n.part == 0) return out.lines("\n");
  for (const mime_field& f : parts[n.part - 1].fields) IMA_CHECK(out.field(f));
  IMA_CHECK(out.lines("\n"));
  return write_part(n.part - 1, out);
}

message_to_mime::message_to_mime(std::unique_ptr<state> s) : state_(std::move(s)) {}
message_to_mime::message_to_mime(message_to_mime&&) noexcept = default;
message_to_mime& message_to_mime::operator=(message_to_mime&&) noexcept = default;
message_to_mime::~message_to_mime() = default;

result<message_to_mime> message_to_mime::translate(const header_block& header, body_source& body,
                                                   const limits& bounds) {
  auto s = std::make_unique<state>(state{header, body, bounds});
  IMA_CHECK(s->prepare());
  return message_to_mime(std::move(s));
}

std::span<const remark> message_to_mime::remarks() const noexcept { return state_->remarks; }

result<void> message_to_mime::write(const octet_writer& take) {
  mail_writer out(take, state_->crlf);
  std::size_t number = 1;
  return state_->write_node(state_->structure, number, true, out);
}

}  // namespace ima::translate
