#include "wire/words.hpp"

#include "retrieval/wire_words.hpp"

#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace ima::retrieval {

namespace {

struct reason_row {
  reason what;
  std::string_view word;
  bool temporary;
};

// docs/retrieval.md section 7.
constexpr std::array reasons{
    reason_row{reason::framing, "framing", false},
    reason_row{reason::syntax, "syntax", false},
    reason_row{reason::command, "command", false},
    reason_row{reason::state, "state", false},
    reason_row{reason::auth, "auth", false},
    reason_row{reason::no_folder, "no-folder", false},
    reason_row{reason::no_message, "no-message", false},
    reason_row{reason::no_part, "no-part", false},
    reason_row{reason::range, "range", false},
    reason_row{reason::resync, "resync", false},
    reason_row{reason::limit, "limit", false},
    reason_row{reason::quota, "quota", false},
    reason_row{reason::unsupported, "unsupported", false},
    reason_row{reason::folder_exists, "folder-exists", false},
    reason_row{reason::folder_role, "folder-role", false},
    reason_row{reason::folder_in_use, "folder-in-use", false},
    reason_row{reason::header, "header", false},
    reason_row{reason::damaged, "damaged", false},
    reason_row{reason::cancelled, "cancelled", false},
    reason_row{reason::from, "from", false},
    reason_row{reason::recipients, "recipients", false},
    reason_row{reason::busy, "busy", true},
    reason_row{reason::storage, "storage", true},
    reason_row{reason::shutdown, "shutdown", true},
    reason_row{reason::internal, "internal", true},
    reason_row{reason::in_progress, "in-progress", true},
};

constexpr std::array<std::string_view, 4> outcome_words{"OK", "QUEUED", "FAIL", "DEFER"};
constexpr std::array<std::string_view, 5> verdict_words{"delivered", "queued", "mixed", "refused",
                                                        "deferred"};

const reason_row& row(reason r) noexcept { return reasons[static_cast<std::size_t>(r)]; }

constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }

constexpr std::size_t longest_user = 128;
constexpr std::size_t longest_folder = 255;
constexpr std::size_t longest_id = 128;
constexpr std::size_t longest_token = 64;
constexpr std::size_t longest_flag = 32;

error malformed(std::string_view rule, std::string_view text) {
  return error{fault::peer, rule, "", std::string(text)};
}

// One component of a folder's name.
bool good_component(std::string_view part) { return !part.empty() && part != "." && part != ".."; }

}  // namespace

std::string_view to_string(reason r) noexcept { return row(r).word; }
bool is_temporary(reason r) noexcept { return row(r).temporary; }

std::optional<reason> reason_from(std::string_view word) noexcept {
  const auto found = std::ranges::find(reasons, word, &reason_row::word);
  if (found == reasons.end()) return std::nullopt;
  return found->what;
}

reason reason_for(const error& e) noexcept {
  if (const auto named = reason_from(e.rule)) return *named;
  if (e.rule == "mailbox-busy") return reason::busy;
  return e.kind == fault::temporary ? reason::storage : reason::internal;
}

error refusal(reason r, std::string text) {
  return error{is_temporary(r) ? fault::temporary : fault::refused, to_string(r), "",
               std::move(text)};
}

secret::secret(secret&& other) noexcept : value_(std::exchange(other.value_, {})) {}

secret& secret::operator=(secret&& other) noexcept {
  wipe();
  value_ = std::exchange(other.value_, {});
  return *this;
}

secret::~secret() { wipe(); }

void secret::wipe() noexcept {
  if (!value_.empty()) OPENSSL_cleanse(value_.data(), value_.size());
}

std::string_view to_string(recipient_outcome::kind k) noexcept {
  return outcome_words[static_cast<std::size_t>(k)];
}

std::string_view to_string(send_verdict v) noexcept {
  return verdict_words[static_cast<std::size_t>(v)];
}

std::optional<send_verdict> send_verdict_from(std::string_view word) noexcept {
  const auto found = std::ranges::find(verdict_words, word);
  if (found == verdict_words.end()) return std::nullopt;
  return static_cast<send_verdict>(found - verdict_words.begin());
}

send_verdict verdict_of(std::span<const recipient_outcome> outcomes) noexcept {
  using kind = recipient_outcome::kind;
  const auto any = [&](kind what) {
    return std::ranges::find(outcomes, what, &recipient_outcome::what) != outcomes.end();
  };
  const bool none_lost = !any(kind::fail) && !any(kind::defer);
  if (none_lost) return any(kind::queued) ? send_verdict::queued : send_verdict::delivered;
  if (any(kind::ok) || any(kind::queued)) return send_verdict::mixed;
  return any(kind::fail) ? send_verdict::refused : send_verdict::deferred;
}

result<void> check_user(std::string_view user) {
  if (user.empty() || user.size() > longest_user || user.find(' ') != std::string_view::npos)
    return malformed("user", "a user name is one word of 1 to 128 octets");
  if (!wire::check_text(user, "user"))
    return malformed("user", "a user name is UTF-8 without controls");
  return {};
}

result<void> check_folder(std::string_view name) {
  if (name.empty() || name.size() > longest_folder)
    return malformed("folder", "a folder name has 1 to 255 octets");
  if (!wire::check_text(name, "folder"))
    return malformed("folder", "a folder name is UTF-8 without controls");
  for (std::string_view rest = name;;) {
    const std::size_t slash = rest.find('/');
    if (!good_component(rest.substr(0, slash)))
      return malformed("folder", "a component of a folder name is empty, '.' or '..'");
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

result<void> check_id(std::string_view id) {
  const auto legal = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  if (id.empty() || id.size() > longest_id || id.front() == '-' || !std::ranges::all_of(id, legal))
    return malformed("id", "a message id has 1 to 128 of a-z, 0-9 and '-', which is not first");
  return {};
}

result<void> check_token(std::string_view token) {
  const auto legal = [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '.' || c == '-';
  };
  if (token.empty() || token.size() > longest_token || !std::ranges::all_of(token, legal))
    return malformed("token", "a state token has 1 to 64 of A-Z, a-z, 0-9, '.' and '-'");
  return {};
}

result<void> check_flag(std::string_view flag) {
  const auto legal = [](char c) {
    return is_lower(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
  };
  if (flag.empty() || flag.size() > longest_flag || !is_lower(flag.front()) ||
      !std::ranges::all_of(flag, legal))
    return malformed("flag", "a flag has 1 to 32 of a-z, 0-9, '.', '_' and '-', a letter first");
  return {};
}

std::string folder_to_wire(std::string_view name) { return text_to_wire(name); }

result<std::string> folder_from_wire(std::string_view word) {
  auto name = word.empty() ? std::optional(std::string()) : text_from_wire(word);
  if (!name) return malformed("folder", "in a folder name '%' stands only in %20 and %25");
  if (auto good = check_folder(*name); !good) return std::move(good).error();
  return *std::move(name);
}

}  // namespace ima::retrieval
