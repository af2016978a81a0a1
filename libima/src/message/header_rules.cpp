// Which headers the specification knows, how often each may stand, and the grammar of its value
// (docs/message.md section 4): one row each.

#include "message/header_grammar.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace ima::grammar {
namespace {

constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

result<void> named(std::string_view value) {
  IMA_CHECK(named_address::parse(value));
  return {};
}

result<void> bare(std::string_view value) {
  IMA_CHECK(address::parse(value));
  return {};
}

result<void> date(std::string_view value) {
  IMA_CHECK(timestamp::parse(value));
  return {};
}

result<void> identifier(std::string_view value) {
  if (value.find_first_of(" <>") == std::string_view::npos) return {};
  return error{fault::peer, "id-syntax", "",
               fmt::format("'{}' is no message id: it holds a space, '<' or '>'", value)};
}

result<void> token(std::string_view value) {
  const bool good = std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (good) return {};
  return error{fault::peer, "auto-syntax", "", fmt::format("'{}' is no lower-case word", value)};
}

result<void> part_line(std::string_view value) {
  IMA_CHECK(part(value));
  return {};
}

result<void> free_text(std::string_view) { return {}; }

struct rule {
  std::string_view name;
  std::size_t most;
  result<void> (*check)(std::string_view);
  bool recipient = false;
  bool envelope = false;
};

constexpr std::array rules{
    rule{"from", 1, named},
    rule{"mailer", 1, named},
    rule{"to", any, named, true},
    rule{"cc", any, named, true},
    rule{"bcc", any, named, true, true},
    rule{"for", any, bare, true, true},
    rule{"via", any, bare},
    rule{"reply-to", any, named},
    rule{"id", 1, identifier},
    rule{"in-reply-to", 1, identifier},
    rule{"references", any, identifier},
    rule{"date", 1, date},
    rule{"subject", 1, free_text},
    rule{"auto", 1, token},
    rule{"received", any, free_text, false, true},
    rule{"part", any, part_line},
    rule{"ima", 1, free_text},
};

const rule* find(std::string_view name) noexcept {
  const auto at =
      std::find_if(rules.begin(), rules.end(), [&](const rule& r) { return r.name == name; });
  return at == rules.end() ? nullptr : &*at;
}

}  // namespace

result<void> value(const header_field& field) {
  const rule* const known = find(field.name);
  return known == nullptr ? result<void>() : known->check(field.value);
}

std::size_t most(std::string_view name) noexcept {
  const rule* const known = find(name);
  return known == nullptr ? any : known->most;
}

bool names_recipient(std::string_view name) noexcept {
  const rule* const known = find(name);
  return known != nullptr && known->recipient;
}

bool is_envelope(std::string_view name) noexcept {
  const rule* const known = find(name);
  return known != nullptr && known->envelope;
}

}  // namespace ima::grammar
