#include "translate/leaf.hpp"

#include "message/header_grammar.hpp"
#include "support/try.hpp"
#include "translate/charset_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ima::translate {
namespace {

// Octets that the words of a part line may have.
struct word_room {
  std::size_t name;
  std::size_t cid;
  std::size_t params;
  std::size_t one_kept;
  std::size_t all_kept;
};

constexpr std::size_t longest_line = limits{}.header_line;
// What always fits into a line together, an attribute with the whole type in place of `params`.
constexpr word_room usual{1000, 499, 2000, 2000, 3000};
constexpr word_room whole_line{longest_line, longest_line, longest_line, longest_line,
                               longest_line};

bool is_about_body(std::string_view name) {
  return shapes_body(name) || name == "content-id" || name == "content-disposition";
}

// Names of attributes that say something else than a field of this name.
bool has_own_meaning(std::string_view name) {
  static constexpr std::string_view names[] = {"role",     "cid",         "params",
                                               "name",     "sha256",      "original",
                                               "filename", "disposition", "disposition-params",
                                               "preamble", "epilogue"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Adds an attribute, its value escaped; false where there is one of its name or no room.
bool add_kept(std::vector<parameter>& into, std::string_view name, std::string text,
              const word_room& room) {
  std::size_t had = 0;
  for (const parameter& p : into) {
    if (p.name == name) return false;
    had += p.name.size() + p.value.size() + 2;
  }
  if (text.empty() || text.size() > room.one_kept ||
      had + name.size() + text.size() > room.all_kept)
    return false;
  into.push_back({std::string(name), std::move(text)});
  return true;
}

void keep(part_words& into, std::string_view name, std::string_view value, const word_room& room) {
  const fitted made = fit_line(value, room.one_kept);
  const bool added =
      value.size() <= room.one_kept && add_kept(into.kept, name, escape_attribute(made.text), room);
  into.complete = into.complete && added && !made.changed;
}

void describe_id(part_words& into, std::string_view value, const word_room& room) {
  if (value.empty()) return;
  const fitted line = fit_line(value, room.one_kept);
  const id_list list = parse_ids(line.text);
  if (!list.clean || list.ids.size() != 1 || list.ids[0].size() > room.cid ||
      !is_content_id(list.ids[0]))
    return keep(into, "content-id", value, room);
  into.cid = list.ids[0];
  into.complete = into.complete && !line.changed;
}

void describe_name(part_words& into, std::string_view value, const word_room& room) {
  fitted made = fit_line(value, room.name);
  into.name = std::move(made.text);
  if (made.changed) keep(into, "filename", value, room);
}

// What a disposition says beside the role and the name.
void describe_disposition(part_words& into, const parametrised& disposition,
                          const word_room& room) {
  const std::string_view kind = disposition.value;
  if (!kind.empty() && kind != "inline" && kind != "attachment")
    keep(into, "content-disposition", kind, room);
  std::vector<parameter> more;
  std::copy_if(disposition.params.begin(), disposition.params.end(), std::back_inserter(more),
               [](const parameter& p) { return p.name != "filename"; });
  const bool added =
      more.empty() || add_kept(into.kept, "disposition-params", write_params(more), room);
  into.complete = into.complete && added && disposition.complete;
}

// The parameters that the part line does not say in another way; `name` is the whole name.
std::vector<parameter> remaining_params(const entity& e, std::string_view name) {
  std::vector<parameter> out;
  for (const parameter& p : e.type.params) {
    const bool said = (p.name == "name" && p.value == name) ||
                      (p.name == "charset" && e.type.value.starts_with("text/"));
    if (!said) out.push_back(p);
  }
  return out;
}

void describe_type(part_words& into, const entity& e, std::string_view name,
                   const word_room& room) {
  into.media_type = e.type.value;
  into.params = write_params(fitting_params(remaining_params(e, name), room.params, into.complete));
  const bool understood = e.typed || e.field("content-type").empty();
  into.complete = into.complete && understood && e.type.complete && !repeats_body_fields(e);
  if (!grammar::media_type(into.media_type)) {
    into.media_type = "application/octet-stream";
    into.params.clear();
    const std::string_view type = e.field("content-type");
    keep(into, "content-type",
         e.type.complete && is_utf8(type) ? std::string(type) : write_parametrised(e.type), room);
  }
}

bool keep_in(std::vector<parameter>& into, std::string_view name, std::string_view value,
             const word_room& room) {
  if (!is_line_name(name) || has_own_meaning(name)) return false;
  const fitted made = fit_line(decode_text(value), room.one_kept);
  return add_kept(into, name, escape_attribute(made.text), room) && !made.changed && is_utf8(value);
}

part_words describe_in(const entity& e, bool root, const word_room& room) {
  part_words out;
  const parametrised disposition = parse_parametrised(e.field("content-disposition"));
  std::string_view name = disposition.param("filename");
  if (name.empty()) name = e.type.param("name");
  describe_name(out, name, room);
  describe_type(out, e, name, room);
  describe_id(out, e.field("content-id"), room);
  describe_disposition(out, disposition, room);
  for (const mime_field& f : e.fields) {
    const std::string field = lower(f.name);
    if (root || is_about_body(field)) continue;
    out.complete = keep_in(out.kept, field, f.value, room) && out.complete;
  }
  return out;
}

// Whether a line has room for them, whatever else it says.
bool fit_a_line(part_words words) {
  words.kept.push_back({"content-disposition", "attachment"});
  const std::string value = part_line(UINT64_MAX, {}, words, "alternative", 9999);
  return std::string_view("part: \n").size() + value.size() <= longest_line;
}

}  // namespace

bool is_name_of(std::string_view name, std::string_view whole) {
  return fit_line(whole, whole.size()).text == name || fit_line(whole, usual.name).text == name;
}

bool is_content_id(std::string_view cid) {
  if (fit_line(cid, cid.size()).text != cid) return false;
  if (!fits_lines("Content-ID", fmt::format("<{}>", cid))) return false;
  const id_list back = parse_ids(fmt::format("<{}>", cid));
  return back.clean && back.ids.size() == 1 && back.ids[0] == cid;
}

bool shapes_body(std::string_view name) {
  return name == "content-type" || name == "content-transfer-encoding" || name == "mime-version" ||
         name == "content-ima";
}

std::vector<parameter> fitting_params(std::vector<parameter> params, std::size_t room,
                                      bool& complete) {
  std::size_t size = 0;
  const auto end = std::find_if(params.begin(), params.end(), [&](const parameter& p) {
    size += write_params({p}).size() + 1;
    return size > room;
  });
  complete = complete && end == params.end();
  params.erase(end, params.end());
  return params;
}

bool repeats_body_fields(const entity& e) {
  constexpr std::string_view once[] = {"content-type", "content-transfer-encoding", "content-id",
                                       "content-disposition"};
  return std::any_of(std::begin(once), std::end(once), [&](std::string_view name) {
    return std::count_if(e.fields.begin(), e.fields.end(),
                         [&](const mime_field& f) { return lower(f.name) == name; }) > 1;
  });
}

bool keep_field(std::vector<parameter>& into, std::string_view name, std::string_view value) {
  return keep_in(into, name, value, usual);
}

part_words describe(const entity& e, bool root) {
  part_words whole = describe_in(e, root, whole_line);
  return fit_a_line(whole) ? whole : describe_briefly(e, root);
}

part_words describe_briefly(const entity& e, bool root) { return describe_in(e, root, usual); }

void name_by_encoding(part_words& into, std::string_view name) {
  if (!into.name.empty()) return;
  part_words named = into;
  describe_name(named, decode_text(name), usual);
  if (named.complete == into.complete && fit_a_line(named)) into = std::move(named);
}

bool is_disposed(std::string_view media_type, std::string_view role, bool named) {
  if (named) return true;
  return !media_type.starts_with("multipart/") && (role == "inline" || role == "attachment");
}

std::string part_line(std::uint64_t size, const digest& sum, const part_words& words,
                      std::string_view role, std::size_t original) {
  std::string out = fmt::format("{} {} sha256={}", size, words.media_type, sum.hex());
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format(" {}={}", name, value);
  };
  add("role", role);
  add("cid", words.cid);
  add("params", words.params);
  for (const parameter& p : words.kept) add(p.name, p.value);
  if (original != 0) add("original", std::to_string(original));
  add("name", words.name);
  return out;
}

std::string write_params(const std::vector<parameter>& params) {
  std::string out;
  for (const parameter& p : params) {
    if (!out.empty()) out += ';';
    out += escape_attribute(p.name) + "=" + escape_attribute(p.value);
  }
  return out;
}

std::size_t params_octets(const node& root) {
  std::size_t sum = write_params(root.params).size();
  for (const node& child : root.children) sum += params_octets(child);
  return sum;
}

// A name may be escaped, too; what no mail could call a parameter stays as it is. Mail does not
// tell upper case from lower in names (RFC 2045 section 5.1).
std::string param_name(std::string_view text) {
  const auto name = unescape(text);
  return lower(name && is_parameter_name(*name) ? *name : text);
}

std::vector<parameter> read_params(std::string_view text) {
  std::vector<parameter> out;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t equals = std::min(one.find('='), one.size());
    const auto value = unescape(one.substr(std::min(equals + 1, one.size())));
    if (value) out.push_back({param_name(one.substr(0, equals)), *value});
  }
  return out;
}

leaf_plan plan_of(const entity& e) {
  leaf_plan plan{e.body_at, e.body_end, transfer::identity, false, false, {}};
  if (e.multipart()) return plan;
  plan.encoding = transfer_of(e.field("content-transfer-encoding")).encoding;
  plan.text = e.type.value.starts_with("text/");
  if (!plan.text) return plan;
  // A text with a name is a file, and keeps the line ends that its owner gave it.
  plan.line_ends = plan.encoding != transfer::uuencode && describe(e, true).name.empty() &&
                   e.field("content-ima") != "exact";
  plan.charset = e.type.param("charset");
  return plan;
}

result<leaf_outcome> read_leaf(body_source& from, const leaf_plan& plan, const octet_writer& take) {
  constexpr std::size_t step = 32 * 1024;
  transfer_decoder transferred(plan.encoding);
  charset_decoder charset(plan.charset);
  line_end_decoder line_ends;
  leaf_outcome out;
  hasher hash;
  std::string piece(step, '\0');
  std::string decoded;
  std::string utf8;
  std::string lines;
  const auto hand_on = [&](bool last) -> result<void> {
    std::string* made = &decoded;
    if (plan.text) {
      charset.decode(decoded, utf8);
      if (last) charset.finish(utf8);
      made = &utf8;
    }
    if (plan.line_ends) {
      line_ends.decode(*made, lines);
      if (last) line_ends.finish(lines);
      made = &lines;
    }
    out.size += made->size();
    hash.update(*made);
    if (take && !made->empty()) IMA_CHECK(take(*made));
    decoded.clear();
    utf8.clear();
    lines.clear();
    return {};
  };
  for (std::uint64_t at = plan.begin; at < plan.end;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(step, plan.end - at));
    IMA_CHECK(from.read_at(at, piece.data(), count));
    transferred.decode(octets(piece.data(), count), decoded);
    at += count;
    IMA_CHECK(hand_on(false));
  }
  transferred.finish(decoded);
  IMA_CHECK(hand_on(true));
  out.clean = transferred.clean();
  out.file_name = transferred.file_name();
  out.lossy = charset.lossy();
  out.sum = hash.finish();
  return out;
}

}  // namespace ima::translate
