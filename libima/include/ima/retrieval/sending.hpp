#pragma once

#include <ima/address.hpp>
#include <ima/date.hpp>
#include <ima/export.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The words of SEND and QUEUE (docs/retrieval.md sections 5.16 and 5.17).

namespace ima::retrieval {

/// A message that the user has.
struct message_reference {
  std::string folder;  ///< The folder's name.
  std::string id;      ///< The message's, in that folder.

  friend bool operator==(const message_reference&, const message_reference&) = default;
};

/// Says that part `part` of a message that is sent is a part that the user has already.
struct part_reference {
  std::uint64_t part = 0;    ///< Of the message that is sent, from 1.
  message_reference from;    ///< Where the octets are already.
  std::uint64_t source = 0;  ///< The part of `from`, from 1.

  friend bool operator==(const part_reference&, const part_reference&) = default;
};

/// What SEND does beside sending.
struct send_options {
  std::string save;  ///< The folder that gets a copy; empty for none.
  /// Messages that get the flag `answered` when this one was sent.
  std::vector<message_reference> answered;
  std::vector<message_reference> forwarded;  ///< Messages that get the flag `forwarded` then.
  std::vector<part_reference> parts;         ///< What need not be uploaded; each part once at most.

  friend bool operator==(const send_options&, const send_options&) = default;
};

/// What became of one recipient.
struct recipient_outcome {
  /// The four outcomes.
  enum class kind : std::uint8_t {
    ok,      ///< He has it.
    queued,  ///< The post office tries again.
    fail,    ///< For good.
    defer,   ///< For now; nobody tries again by himself.
  };
  kind what = kind::defer;  ///< Which of them.
  address recipient;        ///< As the message names him.
  std::string text;         ///< For people; may be empty.

  friend bool operator==(const recipient_outcome&, const recipient_outcome&) = default;
};
/// "OK", "QUEUED", "FAIL" or "DEFER".
IMA_API std::string_view to_string(recipient_outcome::kind k) noexcept;

/// How a SEND went as a whole.
enum class send_verdict : std::uint8_t {
  delivered,  ///< Every recipient has it.
  queued,     ///< Every recipient has it or is in the queue.
  mixed,      ///< Some have it or are in the queue, some failed.
  refused,    ///< Nothing was sent, for good.
  deferred,   ///< Nothing was sent, for now.
};
/// "delivered", "queued", "mixed", "refused" or "deferred".
IMA_API std::string_view to_string(send_verdict v) noexcept;
/// The verdict of a word, or nothing.
IMA_API std::optional<send_verdict> send_verdict_from(std::string_view word) noexcept;

/// The verdict that sums up what became of all recipients.
IMA_API send_verdict verdict_of(std::span<const recipient_outcome> outcomes) noexcept;

/// The end of a SEND.
struct send_end {
  send_verdict what = send_verdict::deferred;  ///< The sum of all outcomes.
  std::string saved;  ///< The id of the copy in send_options::save; empty where there is none.

  friend bool operator==(const send_end&, const send_end&) = default;
};

/// A message that waits for one recipient.
struct queued_message {
  std::string id;                 ///< The message's digest.
  address recipient;              ///< Whom it waits for.
  timestamp since;                ///< When the post office took it.
  std::optional<timestamp> next;  ///< The next attempt; nothing where none is planned.
  std::string text;               ///< What the last attempt met; may be empty.

  friend bool operator==(const queued_message&, const queued_message&) = default;
};

}  // namespace ima::retrieval
