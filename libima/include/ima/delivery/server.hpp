#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/message.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace ima::delivery {

/// What a receiving session is made with.
struct server_options {
  std::string host;  ///< The hostpart this connection serves; stands in the greeting.
  limits bounds;     ///< `bounds.body` is announced as max-size.
};

/// Feed more octets (or the end of input), then ask again.
struct server_needs_input {};
/// Nothing happens until the caller answered, gave a verdict, or sent pending output.
struct server_waits {};
/// A valid header block was offered; answer().
struct message_offered {
  header_block header;  ///< Checked against the rules and limits; whose it is, is not proved yet.
};
/// The session refused a header block by itself (docs/delivery.md section 5); for the log.
struct offer_refused {
  reason why;     ///< The word that was sent.
  error problem;  ///< The rule that was broken, and where.
};
/// Octets of the accepted body, verified by part; the view lives until the next call.
struct body_received {
  part_slice slice;  ///< A piece of one part.
};
/// The body is complete and verified: report(), note(), then conclude().
struct body_complete {};
/// The body broke a rule; the session drops the rest and answers NOTE and FAIL. Forget the message.
struct body_damaged {
  error problem;  ///< The rule that was broken, and in which part.
};
/// The sender took the accepted message back. Forget it.
struct offer_cancelled {};
/// The connection is over, with the reason unless it ended as it should. Send pending output, then
/// close.
struct server_closed {
  /// Empty where it ended as it should; else fault::peer, with a rule of docs/delivery.md
  /// section 2.
  std::optional<error> problem;
};

/// What server::next_event() gives.
using server_event =
    std::variant<server_needs_input, server_waits, message_offered, offer_refused, body_received,
                 body_complete, body_damaged, offer_cancelled, server_closed>;

/// The receiver's side of one IMDP connection (docs/delivery.md). Octets in, events and octets out;
/// it knows no socket, clock or file. Not thread-safe; movable.
///
///     server.receive(octets);
///     for (auto event = server.next_event(); …; event = server.next_event()) { … }
///
/// Errors of the answering calls are fault::caller with the rule `out-of-turn`; they change
/// nothing.
class IMA_API server {
 public:
  /// Puts the greeting into the output at once.
  explicit server(server_options options);
  server(server&&) noexcept;
  server& operator=(server&&) noexcept;
  ~server();

  /// Gives octets that came. They must stay valid until next_event() returned server_needs_input,
  /// server_waits or server_closed; what comes after that is dropped.
  void receive(octets input);
  /// The peer will send no more.
  void receive_eof();
  /// The next event. After server_closed it stays server_closed.
  server_event next_event();

  /// Answers message_offered. Recipients in `answer` that are not in the message are left out;
  /// where `unknown` still has one, the answer is `REJECT recipients`.
  result<void> answer(const header_answer& answer);
  /// Withdraws an ACCEPT that was not used in time (docs/delivery.md section 7). Without effect
  /// where the body has begun: then out-of-turn.
  result<void> lapse();
  /// Gives up an accepted message while its body comes, or once it is complete: the rest is
  /// dropped, then answered NOTE with the text and rule of `why`, and FAIL (fault::peer,
  /// fault::refused) or DEFER.
  result<void> abandon(const error& why);
  /// One recipient's line, before the verdict. For an address that is not in the message, or was
  /// reported before, it becomes a note.
  result<void> report(const recipient_result& r);
  /// A remark for the sender's people, before the verdict.
  result<void> note(std::string_view text);
  /// Ends the message after body_complete.
  result<void> conclude(verdict v);
  /// True once next_event() has nothing but server_closed to give. Takes no event, so it may be
  /// asked at any time.
  bool is_closed() const noexcept;
  /// Takes no further message: closes now if none is in hand, otherwise after its answer.
  void stop();

  /// Octets to send; valid until the next call of another member.
  octets pending_output() const noexcept;
  /// The first `count` octets of pending_output() have gone.
  void sent(std::size_t count);

  /// How long the present wait for the peer may last; nothing while the caller is to act. When it
  /// is over, close the connection; but see accept_pending().
  std::optional<std::chrono::milliseconds> timeout() const;
  /// Changes whenever a new wait begins, so that the caller restarts its timer.
  std::uint64_t step() const noexcept;
  /// True while an ACCEPT waits for its DATA: on time-out call lapse() and not close.
  bool accept_pending() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::delivery
