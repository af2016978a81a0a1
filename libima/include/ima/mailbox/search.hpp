#pragma once

#include <ima/mailbox/entry.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What can be asked of mailbox::search() (docs/mailbox.md section 9).

namespace ima::mailbox {

/// Where words are looked for.
enum class search_field : std::uint8_t {
  any,         ///< Everywhere below.
  sender,      ///< from, mailer, reply-to.
  recipient,   ///< to, cc, bcc, for.
  subject,     ///< subject.
  header,      ///< Every other header line, by its value.
  attachment,  ///< Names of parts.
  body,        ///< Text parts.
};

/// Words that stand next to each other in this order. Case, the accents of Latin letters and
/// punctuation do not count; the last word may go on, so `meet` finds `meeting`; in scripts without
/// spaces any run of characters is found.
struct search_words {
  std::string words;                       ///< UTF-8, divided by spaces.
  search_field field = search_field::any;  ///< Where to look.
  bool absent = false;                     ///< The message must not have them.
};

/// Conditions that must all hold (docs/mailbox.md section 9). Without any, every message is found.
struct query {
  std::vector<search_words> texts;                         ///< All of them must be found.
  std::vector<std::string> flags;                          ///< It has each of these flags,
  std::vector<std::string> without_flags;                  ///< and none of these.
  std::optional<std::chrono::sys_seconds> arrived_since;   ///< At this moment or later.
  std::optional<std::chrono::sys_seconds> arrived_before;  ///< Before this moment.
  std::optional<std::chrono::sys_seconds> sent_since;      ///< By the `date:` header;
  std::optional<std::chrono::sys_seconds> sent_before;     ///< one without it is not found.
  std::optional<std::uint64_t> larger;                     ///< More octets than this,
  std::optional<std::uint64_t> smaller;                    ///< fewer than this.
};

/// A message that was found.
struct search_hit {
  std::string folder;  ///< Where it is.
  entry message;       ///< As it is now.
};

/// What was found, newest first, up to a limit.
struct search_page {
  std::vector<search_hit> hits;  ///< May be none although there is a next page.
  std::string next;              ///< Where the next page begins; empty: this was the last.
};

}  // namespace ima::mailbox
