#include "translate/fields.hpp"

#include "message/header_grammar.hpp"
#include "translate/date_field.hpp"
#include "translate/escape.hpp"
#include "translate/leaf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace ima::translate {
namespace {

// Fields that are no lines: the part lines say how the body is built.
bool is_structural(std::string_view name) { return shapes_body(name) || name == "ima-header"; }

// Names that mean something else, or nothing a sender may say, in a message.
bool has_own_meaning(std::string_view name) {
  static constexpr std::array<std::string_view, 10> names{
      "ima",        "part",           "for",           "via", "id", "mailer", "auto",
      "mime-field", "mime-structure", "mime-multipart"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The local part without quotes that it does not need.
std::string unquoted(std::string_view local) {
  if (local.size() < 2 || !local.starts_with('"') || !local.ends_with('"'))
    return std::string(local);
  std::string out;
  local = local.substr(1, local.size() - 2);
  for (std::size_t i = 0; i < local.size(); ++i) {
    if (local[i] == '\\' && i + 1 < local.size()) ++i;
    out += local[i];
  }
  return out;
}

bool is_id(std::string_view id) { return fit_line(id, id.size()).text == id; }

}  // namespace

std::optional<address> address_of(std::string_view mail_address) {
  const std::size_t at = mail_address.rfind('@');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string local = unquoted(mail_address.substr(0, at)) + "@";
  const std::string_view domain = mail_address.substr(at + 1);
  // What a message says already, it says again, though it be no name that IDNA knows.
  if (auto made = address::parse(local + lower(domain))) return *made;
  const auto host = hostpart_from_unicode(domain);
  if (!host) return std::nullopt;
  auto made = address::parse(local + *host);
  return made ? std::optional(std::move(*made)) : std::nullopt;
}

// The text fit for a line with `room` octets beside it; a remark where that changes it.
std::string field_translator::fit(const mime_field& field, std::string_view text,
                                  std::size_t room) {
  fitted made = fit_line(text, bounds_.header_line - 1 - room);
  if (made.changed)
    remarks_.push_back({"field-text", field.name, "holds what no header line can say"});
  return std::move(made.text);
}

owned_line field_translator::as_it_was(const mime_field& field) {
  constexpr std::size_t around = std::string_view("mime-field: : ").size();
  std::string name = field.name.substr(0, 100);
  const std::string value = fit(field, field.value, around + name.size());
  return {"mime-field", value.empty() ? name + ":" : name + ": " + value};
}

// As much of an address field as a header block could have room for, as encoded words are less than
// twice their text. Reading addresses takes many times their size.
std::string_view field_translator::some_of(const mime_field& field) const {
  return std::string_view(field.value).substr(0, 2 * bounds_.header_block);
}

field_translator::lines field_translator::mailboxes(std::string_view name,
                                                    const mime_field& field) {
  lines out;
  const std::string_view some = some_of(field);
  const mailbox_list list = parse_mailboxes(some);
  bool too_many = some.size() < field.value.size();
  bool all =
      !too_many && !list.groups && !list.comments && list.complete && !list.mailboxes.empty();
  const bool counted = grammar::names_recipient(name);
  for (const mailbox_text& each : list.mailboxes) {
    const auto addr = address_of(each.addr);
    const bool none_left = counted && recipients_ == bounds_.recipients;
    if (!addr || none_left) {
      too_many = too_many || addr;
      all = false;
      continue;
    }
    if (counted) ++recipients_;
    fitted shown = fit_line(each.name, bounds_.header_line - addr->text().size() - 20);
    all = all && !shown.changed;
    out.push_back({std::string(name), named_address{std::move(shown.text), *addr}.text()});
  }
  if (too_many)
    remarks_.push_back({"field-recipients", field.name, "names more people than may be"});
  if (!all) out.insert(out.begin(), as_it_was(field));
  return out;
}

field_translator::lines field_translator::author(const mime_field& field) {
  if (!first("from")) return {as_it_was(field)};
  lines made = mailboxes("from", field);
  const auto is_raw = [](const owned_line& line) { return line.name == "mime-field"; };
  const bool raw = !made.empty() && is_raw(made.front());
  const std::size_t authors = made.size() - (raw ? 1 : 0);
  if (authors == 1) return made;
  if (authors > 1) {
    made.resize(raw ? 2 : 1);
    if (!raw) made.insert(made.begin(), as_it_was(field));
    return made;
  }
  const mailbox_list list = parse_mailboxes(some_of(field));
  const std::string name =
      list.mailboxes.empty() ? std::string() : fit_line(list.mailboxes[0].name, 500).text;
  made.push_back({"from", named_address{name, address::parse(unknown_author).value()}.text()});
  return made;
}

field_translator::lines field_translator::single(std::string_view name, const mime_field& field) {
  if (!first(name)) return {as_it_was(field)};
  if (name == "date") {
    const date_field said = read_date(field.value);
    lines made;
    if (!said.clean) made.push_back(as_it_was(field));
    if (said.when) made.push_back({"date", said.when->text()});
    return made;
  }
  if (name == "mailer") {
    lines made = mailboxes(name, field);
    return made.size() == 1 ? made : lines{as_it_was(field)};
  }
  fitted text = fit_line(decode_text(field.value), bounds_.header_line - name.size() - 3);
  lines out;
  if (text.changed || text.text.empty()) out.push_back(as_it_was(field));
  if (!text.text.empty()) out.push_back({std::string(name), std::move(text.text)});
  return out;
}

field_translator::lines field_translator::ids(std::string_view name, const mime_field& field) {
  const bool one = name != "references";
  if (one && !first(name)) return {as_it_was(field)};
  lines out;
  id_list list = parse_ids(field.value);
  for (std::string& id : list.ids) {
    const bool good =
        is_id(id) && (!one || out.empty()) && id.size() + name.size() + 3 <= bounds_.header_line;
    if (good)
      out.push_back({std::string(name), std::move(id)});
    else
      list.clean = false;
  }
  if (!list.clean || out.empty()) out.insert(out.begin(), as_it_was(field));
  return out;
}

// RFC 3834; a word that a message has and a field has not travels as a parameter.
field_translator::lines field_translator::automatic(const mime_field& field) {
  const parametrised value = parse_parametrised(field.value);
  if (!value.value.starts_with("auto-")) return other(field);
  if (!first("auto")) return {as_it_was(field)};
  const std::string_view word = value.param("ima");
  if (!word.empty() && grammar::value({"auto", word})) return {{"auto", std::string(word)}};
  const bool reply = value.value == "auto-replied";
  lines out{{"auto", reply ? "reply" : "generated"}};
  const bool exact = value.params.empty() && (reply || value.value == "auto-generated");
  if (!exact) out.insert(out.begin(), as_it_was(field));
  return out;
}

field_translator::lines field_translator::trace(const mime_field& field) {
  if (received_ == bounds_.received) return {as_it_was(field)};
  std::string text = fit(field, field.value, 10);
  if (text.empty()) return {as_it_was(field)};
  ++received_;
  return {{"received", std::move(text)}};
}

field_translator::lines field_translator::via(const mime_field& field) {
  if (auto who = address::parse(field.value)) return {{"via", std::string(who->text())}};
  return {as_it_was(field)};
}

// A line that no field can say travels in a field of its own.
field_translator::lines field_translator::wrapped(const mime_field& field) {
  const auto text = unescape(field.value);
  const std::size_t colon = text ? text->find(": ") : std::string::npos;
  if (colon == std::string::npos) return {as_it_was(field)};
  owned_line line{text->substr(0, colon), text->substr(colon + 2)};
  const bool known = grammar::most(line.name) == 1 || grammar::names_recipient(line.name) ||
                     grammar::is_envelope(line.name) || line.name == "part" || line.name == "via" ||
                     line.name == "reply-to" || line.name == "references";
  // A Received field is ASCII, in lines as long as may be, and could not say it.
  const bool trace = line.name == "received" &&
                     (!fits_lines("Received", line.value) ||
                      std::any_of(line.value.begin(), line.value.end(),
                                  [](char c) { return static_cast<unsigned char>(c) >= 0x80; }));
  if ((known && !trace) || !grammar::field(line.name + ": " + line.value) ||
      text->size() >= bounds_.header_line || (trace && received_ == bounds_.received))
    return {as_it_was(field)};
  if (trace) ++received_;
  return {std::move(line)};
}

field_translator::lines field_translator::other(const mime_field& field) {
  std::string name = lower(field.name);
  if (!is_line_name(name) || has_own_meaning(name) || name.size() > 200) return {as_it_was(field)};
  const std::size_t room = bounds_.header_line - 3 - name.size();
  fitted text = fit_line(decode_text(field.value), room);
  if (text.changed) text.text = fit(field, field.value, name.size() + 2);
  if (text.text.empty()) return {as_it_was(field)};
  return {{std::move(name), std::move(text.text)}};
}

std::vector<owned_line> field_translator::translate(const mime_field& field) {
  const std::string name = lower(field.name);
  if (is_structural(name)) return {};
  if (!is_utf8(field.value) || field.value.find('\0') != std::string::npos)
    remarks_.push_back({"field-text", field.name, "holds octets that are not UTF-8, or NUL"});
  if (name == "from") return author(field);
  if (name == "to" || name == "cc" || name == "bcc" || name == "reply-to")
    return mailboxes(name, field);
  if (name == "sender") return single("mailer", field);
  if (name == "date" || name == "subject") return single(name, field);
  if (name == "message-id") return ids("id", field);
  if (name == "in-reply-to" || name == "references") return ids(name, field);
  if (name == "auto-submitted") return automatic(field);
  if (name == "received") return trace(field);
  if (name == "ima-via") return via(field);
  if (name == "ima-field") return wrapped(field);
  return other(field);
}

bool is_of_mbox(std::string_view name) noexcept {
  return name == "status" || name == "x-status" || name == "content-length" || name == "lines" ||
         name == "x-mozilla-status" || name == "x-mozilla-status2";
}

std::vector<owned_line> translate_all(std::span<const mime_field> fields, const limits& bounds) {
  field_translator translator(bounds);
  std::vector<owned_line> out;
  for (const mime_field& field : fields)
    for (owned_line& line : translator.translate(field)) out.push_back(std::move(line));
  return out;
}

}  // namespace ima::translate
