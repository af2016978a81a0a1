#include "message/header_grammar.hpp"
#include "message/no_limits.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/header.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

namespace ima {

struct header_block::content {
  std::string text;
  std::vector<header_field> fields;
  std::vector<part_info> parts;
  std::uint64_t body = 0;
  digest id;
};

namespace {

constexpr std::string_view version_line = "ima: 1";

error broken(std::string_view rule, std::string text) {
  return {fault::peer, rule, "", std::move(text)};
}

error at_line(error e, std::size_t number) {
  e.place = e.place.empty() ? fmt::format("header line {}", number)
                            : fmt::format("header line {}{}", number, e.place);
  return e;
}

result<void> check_version(std::string_view line) {
  if (line == version_line) return {};
  if (line.starts_with("ima: "))
    return broken("version", fmt::format("unknown version '{}'", line.substr(5)));
  return broken("version", "a header block begins with 'ima: 1'");
}

// Counts what the limits and the "at most once" rules speak of while the lines go by.
class tally {
 public:
  explicit tally(const limits& bounds) : bounds_(bounds) {}

  result<void> add(std::span<const header_field> before, const header_field& field) {
    if (grammar::names_recipient(field.name) && ++recipients_ > bounds_.recipients)
      return broken("recipients-limit", over("recipients", bounds_.recipients));
    if (field.name == "received" && ++received_ > bounds_.received)
      return broken("received-limit", over("received: lines", bounds_.received));
    if (field.name == "part" && ++parts_ > bounds_.parts)
      return broken("parts-limit", over("parts", bounds_.parts));
    if (grammar::most(field.name) == 1 && stands_in(before, field.name))
      return broken("repeated", fmt::format("{}: stands more than once", field.name));
    return {};
  }

 private:
  static std::string over(std::string_view what, std::size_t limit) {
    return fmt::format("more than {} {}", limit, what);
  }
  static bool stands_in(std::span<const header_field> fields, std::string_view name) {
    return std::any_of(fields.begin(), fields.end(),
                       [&](const header_field& f) { return f.name == name; });
  }

  const limits& bounds_;
  std::size_t recipients_ = 0;
  std::size_t received_ = 0;
  std::size_t parts_ = 0;
};

result<void> add_part(std::vector<part_info>& parts, std::uint64_t& body, std::string_view value,
                      const limits& bounds) {
  IMA_TRY(part, grammar::part(value));
  if (part.size > std::numeric_limits<std::uint64_t>::max() - body)
    return broken("part-length", "the lengths of the parts overflow");
  part.offset = body;
  body += part.size;
  if (body > bounds.body)
    return broken("body-limit", fmt::format("the parts are more than {} octets", bounds.body));
  parts.push_back(part);
  return {};
}

// Copies the lines that `keep` wants, the version line and the blank line included.
template <class Keep>
std::string selected(octets text, std::span<const header_field> fields, Keep keep) {
  std::string out;
  out.reserve(text.size());
  for (const header_field& f : fields)
    if (keep(f)) out.append(f.name).append(": ").append(f.value).append("\n");
  out += '\n';
  return out;
}

// The lines are hashed as runs between left-out ones, without a copy.
digest digest_without_envelope(octets text, std::span<const header_field> fields) {
  hasher h;
  const char* from = text.data();
  for (const header_field& f : fields) {
    if (!grammar::is_envelope(f.name)) continue;
    h.update(octets(from, static_cast<std::size_t>(f.name.data() - from)));
    from = f.value.data() + f.value.size() + 1;
  }
  h.update(octets(from, static_cast<std::size_t>(text.data() + text.size() - from)));
  return h.finish();
}

result<void> check_frame(octets block, const limits& bounds) {
  if (block.size() > bounds.header_block)
    return broken("header-limit",
                  fmt::format("the header block is more than {} octets", bounds.header_block));
  if (block.size() < 2 || !block.ends_with("\n\n"))
    return broken("truncated", "the header block does not end with a blank line");
  return {};
}

}  // namespace

header_block::header_block(std::shared_ptr<const content> c) : content_(std::move(c)) {}

result<header_block> header_block::parse(octets block, const limits& bounds) {
  IMA_CHECK(check_frame(block, bounds));
  auto made = std::make_shared<content>();
  made->text = block;
  made->fields.reserve(static_cast<std::size_t>(std::count(block.begin(), block.end(), '\n')));
  tally counts(bounds);
  std::string_view rest(made->text);
  for (std::size_t number = 1; rest != "\n"; ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const auto here = [&](error e) { return at_line(std::move(e), number); };
    if (line.size() >= bounds.header_line)
      return here(broken("line-length", fmt::format("longer than {} octets", bounds.header_line)));
    if (number == 1) {
      if (auto good = check_version(line); !good) return here(std::move(good).error());
    }
    if (line.empty()) return here(broken("blank-line", "a blank line before the end of the block"));
    auto field = grammar::field(line);
    if (!field) return here(std::move(field).error());
    auto good = counts.add(made->fields, *field);
    if (good && field->name == "part")
      good = add_part(made->parts, made->body, field->value, bounds);
    else if (good)
      good = grammar::value(*field);
    if (!good) return here(std::move(good).error());
    made->fields.push_back(*field);
  }
  made->id = digest_without_envelope(made->text, made->fields);
  header_block done(std::move(made));
  if (!done.first("from")) return broken("from-missing", "there is no from: line");
  return done;
}

octets header_block::text() const noexcept { return content_->text; }
std::span<const header_field> header_block::fields() const noexcept { return content_->fields; }
std::span<const part_info> header_block::parts() const noexcept { return content_->parts; }
std::uint64_t header_block::body_size() const noexcept { return content_->body; }
const digest& header_block::id_digest() const noexcept { return content_->id; }

std::optional<std::string_view> header_block::first(std::string_view name) const noexcept {
  for (const header_field& f : fields())
    if (f.name == name) return f.value;
  return std::nullopt;
}

std::vector<std::string_view> header_block::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const header_field& f : fields())
    if (f.name == name) values.push_back(f.value);
  return values;
}

std::size_t header_block::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::count_if(
      fields().begin(), fields().end(), [&](const header_field& f) { return f.name == name; }));
}

std::vector<named_address> header_block::addresses(std::string_view name) const {
  std::vector<named_address> out;
  for (const header_field& f : fields()) {
    if (f.name != name) continue;
    auto each = named_address::parse(f.value);
    if (each) out.push_back(*std::move(each));
  }
  return out;
}

// The values were checked when the block was parsed, so parsing them again cannot fail.
named_address header_block::from() const { return named_address::parse(*first("from")).value(); }

std::optional<named_address> header_block::mailer() const {
  const auto value = first("mailer");
  if (!value) return std::nullopt;
  return named_address::parse(*value).value();
}

address header_block::originator() const {
  const auto sender = mailer();
  return sender ? sender->addr : from().addr;
}

std::optional<timestamp> header_block::date() const {
  const auto value = first("date");
  if (!value) return std::nullopt;
  return timestamp::parse(*value).value();
}

std::string_view header_block::subject() const noexcept { return first("subject").value_or(""); }

std::vector<address> header_block::recipients() const {
  const bool listed = first("for").has_value();
  std::vector<address> out;
  std::unordered_set<std::string> seen;
  for (const header_field& f : fields()) {
    if (!grammar::names_recipient(f.name) || (f.name == "for") != listed) continue;
    address each = named_address::parse(f.value).value().addr;
    if (seen.insert(each.key()).second) out.push_back(std::move(each));
  }
  return out;
}

namespace {

// True for every line but a bcc: or for: line whose address `theirs` does not own.
template <class Theirs>
bool visible_to(const header_field& f, Theirs theirs) {
  if (f.name != "bcc" && f.name != "for") return true;
  return theirs(named_address::parse(f.value).value().addr);
}

}  // namespace

// A block that loses whole optional lines stays valid.
header_block header_block::for_recipient(const address& recipient) const {
  return parse(selected(text(), fields(),
                        [&](const header_field& f) {
                          return visible_to(f, [&](const address& a) { return a == recipient; });
                        }),
               no_message_limits())
      .value();
}

header_block header_block::for_host(std::string_view hostpart) const {
  return parse(selected(text(), fields(),
                        [&](const header_field& f) {
                          return visible_to(f,
                                            [&](const address& a) { return a.host() == hostpart; });
                        }),
               no_message_limits())
      .value();
}

result<header_block> header_block::with_line(std::string_view line, const limits& bounds) const {
  // A line feed would make a second line that nobody asked for.
  if (auto good = wire::check_text(line, ""); !good) return at_line(std::move(good).error(), 2);
  std::string made;
  made.reserve(size() + line.size() + 1);
  made.append(version_line).append("\n").append(line).append("\n");
  made.append(text().substr(version_line.size() + 1));
  return parse(made, bounds);
}

header_builder::header_builder() : text_(std::string(version_line) + "\n") {}

header_builder& header_builder::field(std::string_view name, std::string_view value) {
  const std::string line = fmt::format("{}: {}", name, value);
  // A line feed would make a second line that nobody asked for.
  if (line.find('\n') == std::string::npos) {
    text_.append(line).append("\n");
  } else if (!broken_) {
    const auto number = static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n')) + 1;
    broken_ = at_line(wire::check_text(line, "").error(), number);
  }
  return *this;
}

header_builder& header_builder::part(const part_description& part) {
  std::string value = fmt::format("{} {} sha256={}", part.size, part.media_type, part.sha256.hex());
  if (!part.role.empty()) value += " role=" + part.role;
  if (!part.cid.empty()) value += " cid=" + part.cid;
  if (!part.params.empty()) value += " params=" + part.params;
  if (!part.name.empty()) value += " name=" + part.name;
  return field("part", value);
}

result<header_block> header_builder::build(const limits& bounds) const {
  if (broken_) return *broken_;
  return header_block::parse(text_ + "\n", bounds);
}

}  // namespace ima
