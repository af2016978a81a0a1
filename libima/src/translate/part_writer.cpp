#include "translate/part_writer.hpp"

#include "support/try.hpp"
#include "translate/escape.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace ima::translate {
namespace {

constexpr std::uint64_t longest_line = 998;  // RFC 5322 section 2.1.1

// Looks at octets as they go by.
class observer {
 public:
  void see(octets piece) {
    for (const char c : piece) see(c);
  }
  octet_traits finish() {
    end_line();
    out_.ends_in_cr = last_ == '\r';
    out_.ended = last_ == '\n' || !any_;
    out_.only_crlf = out_.only_crlf && out_.lf;
    return out_;
  }

 private:
  void see(char c) {
    any_ = true;
    out_.nul = out_.nul || c == '\0';
    out_.cr = out_.cr || c == '\r';
    if (static_cast<unsigned char>(c) >= 0x80) ++out_.high;
    if (c == '\n') {
      out_.lf = true;
      out_.only_crlf = out_.only_crlf && last_ == '\r';
      end_line();
    } else {
      ++line_;
    }
    last_ = c;
  }
  void end_line() {
    out_.longest_line = std::max(out_.longest_line, line_);
    line_ = 0;
  }

  octet_traits out_;
  std::uint64_t line_ = 0;
  char last_ = 0;
  bool any_ = false;
};

std::string_view find(const std::vector<parameter>& list, std::string_view name) {
  for (const parameter& p : list)
    if (p.name == name) return p.value;
  return {};
}

// The encoding that carries the octets and needs no extension of anybody's.
transfer encoding_for(const part_info& part, const octet_traits& traits, bool text) {
  if (!text || traits.nul || !traits.utf8 || traits.cr || traits.foreign_ends)
    return transfer::base64;
  const bool plain = traits.high == 0 && traits.longest_line <= longest_line && traits.ended;
  if (plain) return transfer::identity;
  return traits.high * 4 > part.size ? transfer::base64 : transfer::quoted_printable;
}

std::string_view identity_name(const octet_traits& traits) {
  if (traits.nul || traits.longest_line > longest_line) return "binary";
  return traits.high > 0 ? "8bit" : "7bit";
}

std::string_view name_of(transfer encoding, const octet_traits& traits) {
  return encoding == transfer::identity ? identity_name(traits) : name_of(encoding);
}

bool is_readable_type(std::string_view text) {
  const parametrised type = parse_parametrised(text);
  return type.complete && is_type(type.value);
}

// A disposition that is not what the role says.
std::string kind_of(const std::vector<parameter>& kept, std::string_view role) {
  const auto kind = field_value(find(kept, "content-disposition"));
  const bool plain = kind && *kind != role && parse_parametrised(*kind).value == *kind;
  return plain ? *kind : std::string();
}

// Without a disposition the type has the name.
bool lacks_disposition(const std::vector<parameter>& kept) {
  return find(kept, "disposition") == "none";
}

std::string disposition_of(const part_info& part, std::string_view role,
                           const std::vector<parameter>& kept, std::string_view type) {
  const std::string name = file_name(part, kept);
  if (lacks_disposition(kept) && parse_parametrised(type).param("name") == name) return {};
  const bool multipart = part.media_type.starts_with("multipart/");
  const std::string kind = kind_of(kept, role);
  const bool attached = role == "attachment" && kind.empty();
  const auto more = read_params(find(kept, "disposition-params"));
  const bool said = !multipart && (!kind.empty() || !more.empty());
  if (!said && !is_disposed(part.media_type, role, !part.name.empty())) return {};
  parametrised value{attached ? "attachment" : kind.empty() ? "inline" : kind, more};
  if (!name.empty()) value.params.push_back({"filename", name});
  return write_parametrised(value);
}

std::string type_of(const part_info& part, const octet_traits& traits,
                    const std::vector<parameter>& kept) {
  parametrised value{std::string(part.media_type), {}};
  if (part.media_type.starts_with("text/"))
    value.params.push_back({"charset", traits.high > 0 ? "utf-8" : "us-ascii"});
  for (parameter& p : written_params(part)) value.params.push_back(std::move(p));
  if (lacks_disposition(kept)) value.params.push_back({"name", file_name(part, kept)});
  return write_parametrised(value);
}

void add_id(written_part& into, std::string_view cid, const std::vector<parameter>& kept) {
  if (is_content_id(cid))
    into.fields.push_back({"Content-ID", fmt::format("<{}>", cid)});
  else if (const auto other = field_value(find(kept, "content-id")))
    into.fields.push_back({"Content-ID", *other});
}

bool is_said_elsewhere(std::string_view name) {
  return name == "content-type" || name == "content-transfer-encoding" || name == "content-id" ||
         name == "content-disposition" || name == "disposition" || name == "disposition-params" ||
         name == "filename" || name == "original" || name == "content-ima" ||
         name == "mime-version";
}

}  // namespace

result<octet_traits> traits_of(body_source& body, const part_info& part, std::size_t number) {
  observer watch;
  const leaf_plan as_text{part.offset, part.offset + part.size, transfer::identity, true, false,
                          {}};
  leaf_plan raw = as_text;
  raw.text = false;
  const auto see = [&](octets piece) -> result<void> {
    watch.see(piece);
    return {};
  };
  IMA_TRY(read, read_leaf(body, raw, see));
  if (read.sum != part.sha256)
    return error{fault::peer, "part-digest", fmt::format("part {}", number),
                 "the octets do not match the part's sha256="};
  octet_traits out = watch.finish();
  if (out.high > 0 && part.media_type.starts_with("text/")) {
    IMA_TRY(decoded, read_leaf(body, as_text, {}));
    out.utf8 = !decoded.lossy;
  }
  return out;
}

std::string file_name(const part_info& part, const std::vector<parameter>& kept) {
  const auto exact = field_value(find(kept, "filename"));
  return exact && is_name_of(part.name, *exact) ? *exact : std::string(part.name);
}

std::vector<parameter> written_params(const part_info& part) {
  const bool text = part.media_type.starts_with("text/");
  auto out = read_params(part.params);
  std::erase_if(out, [&](const parameter& p) {
    // Text is UTF-8 whatever it says here; and mail would read this name as that of a file.
    return (text && p.name == "charset") || (part.name.empty() && p.name == "name");
  });
  return out;
}

std::optional<std::string> field_value(std::string_view attribute) {
  auto value = unescape(attribute);
  if (!value || value->empty() || fit_line(*value, value->size()).text != *value)
    return std::nullopt;
  return value;
}

std::vector<parameter> kept_attributes(std::string_view line) {
  std::vector<parameter> out;
  for (int known = 0; known < 3; ++known) wire::take_word(line);
  while (!line.empty() && !line.starts_with("name=")) {
    const std::string_view word = wire::take_word(line);
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) break;
    const std::string_view name = word.substr(0, equals);
    if (name != "role" && name != "cid" && name != "params")
      out.push_back({std::string(name), std::string(word.substr(equals + 1))});
  }
  return out;
}

written_part entity_of(const part_info& part, const std::vector<parameter>& kept,
                       std::string_view role, const octet_traits& traits, bool root) {
  written_part out;
  const auto type = field_value(find(kept, "content-type"));
  const auto coding = field_value(find(kept, "content-transfer-encoding"));
  const bool foreign = type && is_readable_type(*type) && part.params.empty() &&
                       part.media_type == "application/octet-stream" &&
                       !lower(*type).starts_with("multipart/") &&
                       !lower(*type).starts_with("message/");
  const bool text = part.media_type.starts_with("text/");
  out.whole = part.media_type.starts_with("multipart/") ||
              part.media_type.starts_with("message/") || (foreign && coding);
  out.encoding = out.whole ? transfer::identity : encoding_for(part, traits, text);
  std::string written_type = foreign ? *type : type_of(part, traits, kept);
  const std::string disposition = disposition_of(part, role, kept, written_type);
  out.fields.push_back({"Content-Type", std::move(written_type)});
  const bool exact = text && traits.utf8 && traits.cr && part.name.empty();
  if (exact) out.fields.push_back({"Content-IMA", "exact"});
  if (!disposition.empty()) out.fields.push_back({"Content-Disposition", disposition});
  add_id(out, part.cid, kept);
  const std::string_view made = name_of(out.encoding, traits);
  if (foreign && coding)
    out.fields.push_back({"Content-Transfer-Encoding", *coding});
  else if (made != "7bit")
    out.fields.push_back({"Content-Transfer-Encoding", std::string(made)});
  for (const parameter& p : kept) {
    const auto value = field_value(p.value);
    if (!root && value && !is_said_elsewhere(p.name))
      out.fields.push_back({capitalised(p.name), seven_bit_text(*value)});
  }
  return out;
}

}  // namespace ima::translate
