#pragma once

#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ima::delivery {

/// What a sending session is made with.
struct client_options {
  std::string host;  ///< The hostpart that was asked for; the greeting must name it.
  limits bounds;     ///< What the server may send at most, and how long it may take.
};

/// Feed more octets (or the end of input), then ask again.
struct client_needs_input {};
/// The server introduced itself.
struct greeting_received {
  std::uint64_t max_size = 0;             ///< Octets of the largest body it takes.
  std::vector<std::string> capabilities;  ///< Other words of the greeting, as they stand.
};
/// A recipient's line. Also kept for the final results.
struct recipient_reported {
  recipient_result line;  ///< As the server said it; the address is one of the message's.
};
/// A remark for people.
struct note_received {
  std::string text;  ///< From a stranger: print it escaped.
};
/// The server wants the body: data(), or cancel().
struct offer_accepted {};
/// The server does not take the message now (DEFER) or ever (REJECT). Final for this offer.
struct offer_declined {
  bool permanent = false;  ///< True for REJECT; false for DEFER, after which the same may work.
  std::string word;        ///< A reason word; may be one this version does not know.
  std::string text;        ///< For people, from a stranger; may be empty.
  std::vector<recipient_result> results;  ///< One for each recipient.
};
/// The verdict came. Final for this offer.
struct delivery_complete {
  verdict what = verdict::defer;          ///< The verdict word.
  std::vector<recipient_result> results;  ///< One for each recipient (docs/delivery.md section 8).
};
/// The connection is over. Offers without an answer may or may not have been delivered, and it is
/// safe to offer them again.
struct client_closed {
  /// Empty where it ended as it should; fault::unknown `no-verdict` where offers had no answer yet,
  /// fault::temporary `closed` where none was waiting; fault::peer `greeting`, `reply`,
  /// `reply-order`, `reply-flood` and those of lines and addresses where the server broke the
  /// protocol (docs/delivery.md section 11).
  std::optional<error> problem;
};

/// What client::next_event() gives.
using client_event =
    std::variant<client_needs_input, greeting_received, recipient_reported, note_received,
                 offer_accepted, offer_declined, delivery_complete, client_closed>;

/// The sender's side of one IMDP connection (docs/delivery.md). Octets in, events and octets out;
/// it knows no socket, clock or file. Not thread-safe; movable.
///
/// A message may be sent in one go, offer(), data(), body(), and the next behind it; its answers
/// come in order. What it is given to send is copied into the output. Errors of the sending calls
/// are fault::caller with the rule `out-of-turn` or `body-length`; they change nothing.
class IMA_API client {
 public:
  /// Begins by waiting for the greeting.
  explicit client(client_options options);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  /// Gives octets that came. They must stay valid until next_event() returned client_needs_input or
  /// client_closed; what comes after that is dropped.
  void receive(octets input);
  /// The server sends no more.
  void receive_eof();
  /// The next event. After client_closed it stays client_closed.
  client_event next_event();

  /// Offers a message by its header block, which names only this host's private lines
  /// (header_block::for_host). Out of turn while another message's body is not wholly sent.
  result<void> offer(const header_block& header);
  /// Announces the body of the message offered last; before or after its ACCEPT.
  result<void> data();
  /// Gives body octets, in any pieces; not more than the header block announced.
  result<void> body(octets piece);
  /// Takes the offer back instead of data().
  result<void> cancel();
  /// Says that no message follows. The server closes.
  result<void> done();

  /// Octets to send; valid until the next call of another member.
  octets pending_output() const noexcept;
  /// The first `count` octets of pending_output() have gone.
  void sent(std::size_t count);

  /// How long the present wait for the server may last; nothing while none is awaited. When it is
  /// over, close the connection and call receive_eof().
  std::optional<std::chrono::milliseconds> timeout() const;
  /// Changes whenever a new wait begins, so that the caller restarts its timer.
  std::uint64_t step() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::delivery
