#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace ima {

class body_reader;

/// Octets of one part, or a part's end, as only a body_reader makes them. A slice with `last()` is
/// handed out only when the whole part matched its `sha256=`, so whoever keeps slices keeps nothing
/// unverified once the last one has come. The view refers to what the reader was fed.
class part_slice {
 public:
  std::size_t part() const noexcept { return part_; }  ///< Index into header_block::parts().
  octets bytes() const noexcept { return bytes_; }     ///< May be empty (an empty part).
  bool last() const noexcept { return last_; }         ///< The part is complete and verified.

 private:
  friend class body_reader;
  part_slice(std::size_t part, octets bytes, bool last) : part_(part), bytes_(bytes), last_(last) {}

  std::size_t part_;
  octets bytes_;
  bool last_;
};

/// Cuts the octets that follow a header block into parts and verifies each part's digest while it
/// streams (docs/message.md section 5). Reads no file and keeps no octets. Movable; not
/// thread-safe.
class IMA_API body_reader {
 public:
  /// For the body that this header block announces.
  explicit body_reader(header_block header);
  body_reader(body_reader&&) noexcept;
  body_reader& operator=(body_reader&&) noexcept;
  ~body_reader();

  /// Takes octets from the front of `input` (which is shortened by what was taken) and returns the
  /// next slice, or nothing when it needs more or the body is complete. Call until it returns
  /// nothing. Error: fault::peer, rule `part-digest`, place "part N"; every later call repeats it.
  result<std::optional<part_slice>> next(octets& input);

  /// Octets of the body still to come.
  std::uint64_t remaining() const noexcept;
  /// True when every part has been handed out with its last().
  bool complete() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// More octets are needed: call feed() or finish().
struct need_input {};
/// The header block came and is valid.
struct header_received {
  header_block header;  ///< Obeys every rule.
};
/// Octets of a part (docs/message.md section 5).
struct part_received {
  part_slice slice;  ///< A piece of one part; its view points into what was fed.
};
/// The message is complete; octets after it stay in message_parser::rest().
struct message_complete {};

/// What message_parser::next() gives.
using message_event = std::variant<need_input, header_received, part_received, message_complete>;

/// Reads a message from octets fed in any pieces; bounded memory (one header block). Pull: feed,
/// then next() until it returns need_input. What was fed must stay valid until then. After an error
/// every call returns the same error. Movable; not thread-safe.
///
///     ima::message_parser parser;
///     parser.feed(octets);
///     for (auto event = parser.next(); event; event = parser.next()) { … }
class IMA_API message_parser {
 public:
  /// For one message within these limits.
  explicit message_parser(const limits& bounds = {});
  message_parser(message_parser&&) noexcept;
  message_parser& operator=(message_parser&&) noexcept;
  ~message_parser();

  /// Gives the next octets; they must stay valid until next() wants more. What was fed before and
  /// not taken is forgotten.
  void feed(octets input);
  /// The input is at its end: what is missing now is an error (rule `truncated`).
  void finish();
  /// The next event; after message_complete it stays message_complete. Errors: fault::peer, all
  /// rules of docs/message.md.
  result<message_event> next();

  /// What was fed and not taken; a view of that.
  octets rest() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima
