#include "translate/part_builder.hpp"

#include "message/header_grammar.hpp"
#include "support/try.hpp"
#include "translate/escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima::translate {
namespace {

constexpr std::size_t longest_type = 4000;    // octets of an attribute with a Content-Type
constexpr std::size_t longest_charset = 100;  // a longer name is none

// A subtree twice: as MIME nests it, with what is kept octet for octet as leaves; and as a person
// reads it, with what was made of those.
struct subtree {
  node real;
  node shown;
};

// The type as an attribute, where that says the same and is not too long.
std::string type_text(const entity& e) {
  if (!e.typed) return "text/plain";
  std::string type(e.field("content-type"));
  std::replace(type.begin(), type.end(), '\0', ' ');  // as it was read
  type = fit_line(type, type.size()).text;
  const parametrised again = parse_parametrised(type);
  const bool same =
      again.value == e.type.value && write_params(again.params) == write_params(e.type.params);
  std::string out = escape_attribute(type);
  return same && out.size() <= longest_type ? out : std::string();
}

// What stands before the parts of a multipart, or behind them.
struct outside {
  std::size_t index;
  std::string_view name;
  std::uint64_t begin;
  std::uint64_t end;
};

class builder {
 public:
  builder(body_source& mail, const entity_tree& tree, bool keep_header)
      : mail_(mail), tree_(tree), keep_header_(keep_header) {}

  result<made_parts> run() {
    IMA_TRY(made, add(0));
    if (keep_header_ && std::find(incomplete_.begin(), incomplete_.end(), 0) == incomplete_.end())
      incomplete_.insert(incomplete_.begin(), 0);
    for (const std::size_t index : incomplete_) IMA_CHECK(add_header(index));
    for (const outside& one : outsides_) IMA_CHECK(add_outside(one));
    const auto type_of_entity = [this](std::size_t part) {
      return at(entities_[part - 1]).type.value;
    };
    out_.structure = as_read(std::move(made.real), type_of_entity);
    append_kept();
    give_roles(as_read(std::move(made.shown), type_of_entity));
    return std::move(out_);
  }

 private:
  const entity& at(std::size_t index) const { return tree_.all[index]; }
  bool is_root(std::size_t index) const { return index == 0; }

  result<subtree> add(std::size_t index);
  result<subtree> add_multipart(std::size_t index);
  result<subtree> add_signed(std::size_t index);
  result<subtree> add_leaf(std::size_t index);
  result<leaf_outcome> add_part(std::size_t index, const leaf_plan& plan);
  result<void> add_whole(std::size_t index, std::size_t first);
  result<void> add_octets(std::size_t index, bool decoded);
  result<void> add_header(std::size_t index);
  result<std::vector<parameter>> around(std::size_t index, bool complete);
  result<void> put_around(std::vector<parameter>& into, outside where);
  result<void> add_outside(const outside& where);
  void keep_header_of(std::size_t index) {
    if (incomplete_.empty() || incomplete_.back() != index) incomplete_.push_back(index);
  }
  void mark_derived(std::size_t first);
  void give_roles(const node& shown);
  void append_kept();
  void remark_part(std::string_view rule, std::size_t part, std::string text) {
    out_.remarks.push_back({rule, fmt::format("part {}", part), std::move(text)});
  }

  body_source& mail_;
  const entity_tree& tree_;
  bool keep_header_;
  bool in_signed_ = false;
  std::size_t params_room_ = longest_multipart_params;
  made_parts out_;
  std::vector<std::size_t> entities_;    // of each part
  std::vector<std::size_t> incomplete_;  // entities whose headers become parts, behind the others
  std::vector<outside> outsides_;        // likewise
  std::vector<std::size_t> kept_;        // the parts that these became
};

result<subtree> builder::add(std::size_t index) {
  const entity& e = at(index);
  if (is_one_part(e)) return add_leaf(index);
  if (e.type.value == "multipart/signed" && !in_signed_) return add_signed(index);
  return add_multipart(index);
}

result<subtree> builder::add_multipart(std::size_t index) {
  std::vector<node> real;
  std::vector<node> shown;
  for (const std::size_t child : at(index).children) {
    IMA_TRY(made, add(child));
    real.push_back(std::move(made.real));
    shown.push_back(std::move(made.shown));
  }
  const entity& e = at(index);
  const std::string subtype = e.type.value.substr(std::string_view("multipart/").size());
  bool complete = true;
  const auto params = fitting_params(e.type.params, params_room_, complete);
  params_room_ -= std::min(params_room_, write_params(params).size());
  IMA_TRY(said, around(index, complete));
  return subtree{{subtype, params, 0, std::move(real), std::move(said)},
                 {subtype, params, 0, std::move(shown)}};
}

// What a multipart says beside its type; of the message, only what is not in its header.
result<std::vector<parameter>> builder::around(std::size_t index, bool complete) {
  const entity& e = at(index);
  std::vector<parameter> out;
  complete = complete && e.type.complete && !repeats_body_fields(e);
  for (const mime_field& f : e.fields) {
    const std::string name = lower(f.name);
    if (is_root(index) || shapes_body(name)) continue;
    complete = keep_field(out, name, f.value) && complete;
  }
  if (!complete) keep_header_of(index);
  IMA_CHECK(put_around(out, {index, "preamble", e.body_at, e.preamble_end}));
  if (e.epilogue_at != 0)
    IMA_CHECK(put_around(out, {index, "epilogue", e.epilogue_at, e.body_end}));
  return out;
}

// Text that no reader shows; where it is long it becomes a part.
result<void> builder::put_around(std::vector<parameter>& into, outside where) {
  std::string text;
  const leaf_plan plan{where.begin, where.end, transfer::identity, false, true, {}};
  bool cut = false;  // something but space stands behind what is enough
  IMA_CHECK(read_leaf(mail_, plan, [&](octets piece) -> result<void> {
    if (text.empty())
      piece.remove_prefix(std::min(piece.find_first_not_of(" \t\r\n"), piece.size()));
    const octets some =
        piece.substr(0, longest_outside + 1 - std::min(text.size(), longest_outside + 1));
    text += some;
    cut = cut || !trim(piece.substr(some.size())).empty();
    return {};
  }));
  if (text.empty()) return {};
  const std::string_view kept = trim(text);
  if (!cut && kept.size() <= longest_outside)
    into.push_back({std::string(where.name), escape_attribute(kept)});
  else
    outsides_.push_back(where);
  return {};
}

result<void> builder::add_outside(const outside& where) {
  const leaf_plan plan{where.begin, where.end, transfer::identity, false, false, {}};
  IMA_CHECK(add_part(where.index, plan));
  made_part& made = out_.parts.back();
  made.words = {"application/octet-stream", {}, {}, std::string(where.name) + ".txt", {}, true};
  made.role = "attachment";
  kept_.push_back(out_.parts.size());
  remark_part(where.name, out_.parts.size(), "stands outside of all parts, and is kept as one");
  return {};
}

// What a person reads, and behind it the whole as it was signed. Another that is signed inside
// needs no octets of its own: they are in this one's.
result<subtree> builder::add_signed(std::size_t index) {
  const std::size_t first = out_.parts.size();
  const std::size_t headers = incomplete_.size();
  const std::size_t outsides = outsides_.size();
  in_signed_ = true;
  IMA_TRY(made, add_multipart(index));
  in_signed_ = false;
  incomplete_.resize(headers);  // they are in the whole
  outsides_.resize(outsides);
  IMA_CHECK(add_whole(index, first));
  return subtree{leaf_node(out_.parts.size()), std::move(made.shown)};
}

// The octets of a body as they are; the parts from index `first` on were made from them.
result<void> builder::add_whole(std::size_t index, std::size_t first) {
  const entity& e = at(index);
  IMA_TRY(found, add_part(index, {e.body_at, e.body_end, transfer::identity, false, false, {}}));
  static_cast<void>(found);
  mark_derived(first);
  return {};
}

// Everything from `first` up to the last part was made from the last part.
void builder::mark_derived(std::size_t first) {
  const std::size_t number = out_.parts.size();
  for (std::size_t i = first; i + 1 < number; ++i)
    if (out_.parts[i].original == 0) out_.parts[i].original = number;
  out_.parts.back().role = "attachment";
}

result<leaf_outcome> builder::add_part(std::size_t index, const leaf_plan& plan) {
  IMA_TRY(found, read_leaf(mail_, plan, {}));
  out_.parts.push_back({describe(at(index), is_root(index)), {}, 0, plan, found.size, found.sum});
  entities_.push_back(index);
  return found;
}

result<subtree> builder::add_leaf(std::size_t index) {
  const entity& e = at(index);
  const leaf_plan plan = plan_of(e);
  if (is_root(index) && !e.typed && plan.begin == plan.end) return subtree{};
  IMA_TRY(found, add_part(index, plan));
  const std::size_t shown = out_.parts.size();
  const bool broken = !found.clean || found.lossy;
  if (broken) out_.parts.back().words = describe_briefly(e, is_root(index));
  name_by_encoding(out_.parts.back().words, found.file_name);
  const bool complete = out_.parts.back().words.complete;
  if (!transfer_of(e.field("content-transfer-encoding")).known)
    remark_part("transfer-encoding", shown, "unknown; the octets are as they came");
  if (!found.clean) remark_part("transfer-encoding", shown, "broken; the original is kept");
  if (found.lossy) remark_part("charset", shown, "not what it says; the original is kept");
  if (broken) IMA_CHECK(add_octets(index, found.clean));
  const std::size_t real = out_.parts.size();
  if (!complete) keep_header_of(index);
  return subtree{leaf_node(real), leaf_node(shown)};
}

// The octets that the last part was made from. They are no text of a message, so the type is an
// attribute.
result<void> builder::add_octets(std::size_t index, bool decoded) {
  const entity& e = at(index);
  const std::string_view coding = e.field("content-transfer-encoding");
  leaf_plan plan{e.body_at, e.body_end, transfer::identity, false, false, {}};
  if (decoded) plan.encoding = transfer_of(coding).encoding;
  const std::size_t first = out_.parts.size() - 1;
  IMA_CHECK(add_part(index, plan));
  part_words& words = out_.parts.back().words;
  words = out_.parts[first].words;
  words.media_type = "application/octet-stream";
  words.params.clear();
  std::string type = type_text(e);
  if (type.empty() || !out_.parts[first].words.complete) {
    const std::string_view charset = e.type.param("charset");
    type = escape_attribute(write_parametrised(
        {e.type.value, {{"charset", std::string(charset.substr(0, longest_charset))}}}));
    keep_header_of(index);
    out_.parts[first].words.params.clear();
  }
  words.kept = {{"content-type", std::move(type)}};
  if (!decoded) {
    const transfer encoding = transfer_of(coding).encoding;
    words.kept.push_back({"content-transfer-encoding", std::string(name_of(encoding))});
  }
  mark_derived(first);
  return {};
}

// The entity's header as it came, for what the part line cannot say.
result<void> builder::add_header(std::size_t index) {
  const entity& e = at(index);
  const leaf_plan plan{e.header_at, e.body_at, transfer::identity, false, false, {}};
  IMA_CHECK(add_part(index, plan));
  made_part& made = out_.parts.back();
  made.words = {"message/rfc822", {}, {}, "header.eml", {}, true};
  made.role = "attachment";
  kept_.push_back(out_.parts.size());
  out_.remarks.push_back({"header", index == 0 ? "header" : fmt::format("entity {}", index),
                          "holds what no header line can say; the original is kept"});
  return {};
}

void builder::give_roles(const node& shown) {
  std::vector<leaf_traits> traits;
  for (std::size_t i = 0; i < out_.parts.size(); ++i) {
    traits.push_back(traits_of(i + 1, out_.parts[i].words, out_.parts[i].role));
    const auto disposition = parse_parametrised(at(entities_[i]).field("content-disposition"));
    traits.back().attached = disposition.value == "attachment";
  }
  assign_roles(shown, traits);
  for (std::size_t i = 0; i < out_.parts.size(); ++i) {
    made_part& part = out_.parts[i];
    if (part.role.empty()) part.role = settle_role(part.words, traits[i], at(entities_[i]));
  }
}

// What was kept beside the parts stands behind everything else.
void builder::append_kept() {
  if (kept_.empty()) return;
  if (out_.structure.subtype != "mixed") {
    node all{"mixed", {}, 0, {}};
    if (out_.structure.part != 0 || !out_.structure.subtype.empty())
      all.children.push_back(std::move(out_.structure));
    out_.structure = std::move(all);
  }
  for (const std::size_t number : kept_) out_.structure.children.push_back(leaf_node(number));
  if (collapses(out_.structure)) out_.structure = node(std::move(out_.structure.children.front()));
}

}  // namespace

bool is_one_part(const entity& e) {
  return !e.multipart() || e.children.empty() || e.type.value == "multipart/encrypted" ||
         !grammar::media_type(e.type.value);
}

result<made_parts> build_parts(body_source& mail, const entity_tree& tree, bool keep_header) {
  return builder(mail, tree, keep_header).run();
}

std::string settle_role(part_words& words, leaf_traits leaf, const entity& e) {
  const std::string_view disposition = e.field("content-disposition");
  const std::string kind = parse_parametrised(disposition).value;
  const bool other = leaf.role != "text" && kind != leaf.role;
  if (other && (kind == "inline" || kind == "attachment"))
    words.kept.push_back({"content-disposition", kind});
  if (disposition.empty() && is_disposed(words.media_type, leaf.role, leaf.named))
    words.kept.push_back({"disposition", "none"});
  std::string role = std::exchange(leaf.role, {});
  if (role_or_default(leaf) == "text" && role == "text") role.clear();
  return role;
}

leaf_traits traits_of(std::size_t number, const part_words& words, std::string_view role) {
  return {number, words.media_type,  std::string(role), !words.name.empty(),
          false,  !words.cid.empty()};
}

}  // namespace ima::translate
