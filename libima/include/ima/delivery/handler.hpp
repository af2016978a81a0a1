#pragma once

#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/message.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// What a receiving server does with messages is a `handler`. A server calls it on its worker
// threads, never on an event loop, so a handler may block and sync. Calls for one message come one
// after another; calls for different messages come at the same time, so a handler is thread-safe
// and a transaction need not be. What they are given lives during the call. They must not throw:
// what is thrown all the same (std::bad_alloc) ends the connection without a verdict.

namespace ima::delivery {

/// The receiver's answer to a header block (docs/delivery.md section 5).
struct header_answer {
  /// The five answers.
  enum class kind : std::uint8_t {
    accept,   ///< Send the body.
    reject,   ///< Refused for good, for `why`.
    defer,    ///< Refused for now, for `why`.
    verdict,  ///< Nothing left to do: every recipient has it already; `final_verdict` holds.
    drop,     ///< Close the connection without a word.
  };
  kind what = kind::defer;        ///< Which of them.
  reason why = reason::internal;  ///< For reject and defer.
  std::string text;               ///< For people; for reject and defer.
  std::vector<address> already;   ///< Recipients who have it: `OK address` lines.
  /// Recipients who do not exist: `NORECIPIENT` lines. Where there are any the answer is
  /// `REJECT recipients`, whatever `what` says (drop apart).
  std::vector<address> unknown;
  verdict final_verdict = verdict::ok;  ///< For kind::verdict.
};

/// Where a transaction puts results as they come (docs/delivery.md section 8). Thread-safe; valid
/// during transaction::finish().
class reply_sink {
 public:
  virtual ~reply_sink() = default;
  /// A recipient's result. Only addresses of the message: others become a note.
  virtual void result(const recipient_result& r) = 0;
  /// A remark for the sender's people; control characters are replaced.
  virtual void note(std::string_view text) = 0;
};

/// How a transaction ends: a verdict, or `drop` (close the connection without one).
struct final_answer {
  verdict what = verdict::defer;  ///< The verdict word that is sent, unless `drop`.
  bool drop = false;              ///< Close without a verdict; the sender tries again.
};

/// One offered message. Destroying it before finish() returned drops what was begun.
class transaction {
 public:
  virtual ~transaction() = default;
  /// Judges the header block. Called once, first.
  virtual header_answer judge() = 0;
  /// Takes the body in verified slices, only after `accept`. An error ends the message: with FAIL
  /// where it is fault::peer or fault::refused, else with DEFER; its text and rule are a note.
  virtual ima::result<void> body(const part_slice& slice) = 0;
  /// The body is complete and verified. Called once, last. Durable when it returns OK.
  virtual final_answer finish(reply_sink& sink) = 0;
  /// True where the calls that follow may wait for a program, and so for minutes. A server makes
  /// these on threads of their own, so that no other message waits. Must not wait itself.
  virtual bool waits_for_programs() const { return false; }
};

/// Decides what becomes of offered mail. Thread-safe; outlives the server it is given to.
class handler {
 public:
  virtual ~handler() = default;
  /// Opens a transaction for a header block that is valid, within the limits and whose originator
  /// is proved. Never returns null.
  virtual std::unique_ptr<transaction> open(const header_block& header, const peer_info& peer) = 0;
};

}  // namespace ima::delivery
