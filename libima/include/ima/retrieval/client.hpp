#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The user's side of one retrieval connection (docs/retrieval.md section 6).

namespace ima::retrieval {

/// What the post office says. Events come in the order of the requests; each request's replies end
/// with one `reply::done`.
namespace reply {
/// The session needs octets: call receive() or receive_eof().
struct need_input {};
/// The greeting came and names the expected host.
struct greeting {
  /// What the server offers beyond docs/retrieval.md section 5.9; see namespace capability.
  std::vector<std::string> capabilities;
};
/// FOLDERS: one of them.
struct folder {
  folder_info info;  ///< Its name and role.
};
/// CHANGES: a line.
struct changed_entry {
  change what;  ///< A message as it is now, or that it left the folder.
};
/// A header block and the server's record, as octets; the views live until the next call of any
/// member. They have not been parsed.
struct header {
  std::string id;  ///< The message's.
  octets block;    ///< What the sender wrote.
  octets record;   ///< What the server proved; may be empty.
};
/// A message is not (any more) in the folder.
struct gone {
  std::string id;  ///< The message's.
};
/// FLAG left a message alone, as it had changed.
struct changed {
  std::string id;  ///< The message's.
};
/// COPY: a message was copied.
struct copied {
  std::string id;      ///< Of the message that was asked for.
  std::string new_id;  ///< Of the copy, in the target.
};
/// A part's octets begin: `length` of them, from `offset`.
struct part_begin {
  std::string id;            ///< The message's.
  std::uint64_t part = 0;    ///< From 1.
  std::uint64_t offset = 0;  ///< Of the first octet in the part.
  std::uint64_t length = 0;  ///< How many octets come.
};
/// Octets of the part, zero copy; the view lives until the next call of any member.
struct part_octets {
  octets bytes;  ///< In order; together as many as were announced.
};
/// APPEND or SEND: the post office takes the message; its body is due (client::body()).
struct accepted {};
/// SEARCH: a message that meets the query.
struct found {
  std::string id;  ///< The message's.
};
/// SEND: what became of a recipient.
struct outcome {
  recipient_outcome what;  ///< One for each recipient at most.
};
/// SEND: something for people.
struct note {
  std::string host;  ///< May be empty.
  std::string text;  ///< From a stranger: print it escaped.
};
/// QUEUE: a message that waits.
struct queued {
  queued_message what;  ///< One for each recipient that waits.
};
/// A watched folder changed; not an answer to the request that is first in line.
struct event {
  watched_folder now;  ///< Its state now; it is watched on from there.
};
/// Why a request was not done.
struct failure {
  reason why = reason::internal;  ///< A word this library does not know counts as internal.
  bool temporary = false;         ///< `DEFER`: the same may work later.
  std::string text;               ///< For people, from the server: print it escaped.
};
/// The request is over. Which members are set depends on the request.
struct done {
  /// Set where the request was refused; the other members mean nothing then.
  std::optional<failure> failed;
  std::optional<folder_status> status;  ///< After STATUS.
  std::string token;                    ///< After CHANGES.
  bool more = false;                    ///< After CHANGES.
  std::string id;                       ///< After APPEND: the message's.
  std::string cursor;                   ///< After SEARCH; empty: there is no further page.
  std::optional<quota_status> quota;    ///< After QUOTA.
  std::optional<send_end> sent;         ///< After SEND.
};
/// The connection is over, and no request was waiting for its answer.
struct closed {};
}  // namespace reply

/// What client::next_event() gives.
using client_event =
    std::variant<reply::need_input, reply::greeting, reply::folder, reply::changed_entry,
                 reply::header, reply::gone, reply::changed, reply::copied, reply::part_begin,
                 reply::part_octets, reply::accepted, reply::found, reply::outcome, reply::note,
                 reply::queued, reply::event, reply::done, reply::closed>;

/// What a user's session is made with.
struct client_options {
  std::string host;  ///< The greeting must name it.
  limits bounds;     ///< What the server may send at most, and how long it may take.
};

/// One connection as the user's program sees it: requests in, octets out; octets in, replies out.
/// Requests may be made at any time, also before the greeting and many at once; they are answered
/// in order. No socket, no clock, no file. Not thread-safe. Movable.
///
/// What a request method is given is copied, and checked first: fault::caller, rules `user`,
/// `folder`, `id`, `token`, `page`, `part`, `flag`, `option`, `request-length`, and `out-of-turn`
/// after done(), where a body is due, or where limits::outstanding requests have no answer; it
/// changes nothing. What the server sends is never trusted: replies that do not fit the request,
/// that exceed limits, or lines that break the framing are fault::peer, rules `greeting`,
/// `reply-syntax`, `reply-order`, `reply-limit` and the rules of lines (docs/delivery.md section
/// 2); every later call of next_event() repeats the error.
class IMA_API client {
 public:
  /// Begins by waiting for the greeting.
  explicit client(client_options options);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  /// By a password.
  result<void> authenticate(std::string_view user, octets password);
  /// By the client certificate that the TLS connection presented.
  result<void> authenticate(std::string_view user);
  /// Asks for all folders: `reply::folder` each.
  result<void> folders();
  /// Asks how much is in a folder: `reply::done::status`.
  result<void> status(std::string_view folder);
  /// Asks what changed after a state token, at most `page` lines: `reply::changed_entry` each.
  result<void> changes(std::string_view folder, std::string_view token, std::uint64_t page);
  /// Asks for header blocks: `reply::header` or `reply::gone` for each id, in order.
  result<void> headers(std::string_view folder, std::span<const std::string> ids);
  /// Without `length`: to the end of the part. `part` counts from 1.
  result<void> fetch(std::string_view folder, std::string_view id, std::uint64_t part,
                     std::uint64_t offset = 0, std::optional<std::uint64_t> length = {});
  /// Changes flags: `reply::gone` and `reply::changed` name what was left alone.
  result<void> flag(std::string_view folder, std::span<const std::string> ids,
                    const flag_change& what);
  /// Deletes messages for good: `reply::gone` names what was not there.
  result<void> remove(std::string_view folder, std::span<const std::string> ids);
  /// Moves messages, whose ids stay: `reply::gone` names what was not there.
  result<void> move(std::string_view folder, std::string_view target,
                    std::span<const std::string> ids);
  /// Copies messages: `reply::copied` or `reply::gone` for each id, in order.
  result<void> copy(std::string_view folder, std::string_view target,
                    std::span<const std::string> ids);
  /// Makes a folder; `role` is empty for none.
  result<void> create_folder(std::string_view folder, std::string_view role = {});
  /// Renames this folder alone.
  result<void> rename_folder(std::string_view folder, std::string_view target);
  /// Deletes an empty folder.
  result<void> delete_folder(std::string_view folder);
  /// An empty cursor asks for the first page.
  result<void> search(std::string_view folder, std::string_view cursor, std::uint64_t page,
                      const search_query& query);
  /// Asks for the mailbox's limits: `reply::done::quota`.
  result<void> quota();
  /// At most 1024 octets each.
  result<void> change_password(octets old_password, octets new_password);
  /// Each folder once. No folders: the watch is over.
  result<void> watch(std::span<const watched_folder> folders);
  /// Asks for the user's queued mail: `reply::queued` each.
  result<void> queue();

  /// Offers a message. Then, before any other request, comes its body by body(), at once or after
  /// `reply::accepted`; or cancel(), or the refusal that makes both unnecessary.
  result<void> append(const append_target& what, const header_block& header);
  /// As append(); `reply::outcome` and `reply::note` come before `reply::done`.
  result<void> send(const send_options& options, const header_block& header);
  /// How many octets of the body the post office still waits for; without the parts that
  /// send_options::parts names.
  std::uint64_t body_left() const noexcept;
  /// The next octets of the body. An empty body is given by one empty piece. After a refusal that
  /// comes while the body is on its way the rest must follow all the same. Errors: `out-of-turn`,
  /// `part-length`.
  result<void> body(octets piece);
  /// Takes the offered message back; its request ends with a failure.
  result<void> cancel();

  /// No more requests; the server closes when it has answered what was asked. Error: `out-of-turn`,
  /// also where a body is due.
  result<void> done();

  /// Octets from the server. The view must live until next_event() returns need_input or an error;
  /// what comes after an error is dropped.
  void receive(octets input);
  /// The connection ended. Requests without an answer then are fault::unknown, rule
  /// `connection-lost`.
  void receive_eof();
  /// The next event; `need_input` until there is more. Errors: as said above.
  result<client_event> next_event();

  /// Octets to send, valid until the next call of any other member.
  octets pending_output() const noexcept;
  /// The first `count` octets of pending_output() have gone.
  void sent(std::size_t count);

  /// Requests made and not yet answered.
  std::size_t outstanding() const noexcept;
  /// How long to wait for the server's next octets; nothing while no answer is awaited. When it is
  /// over, close the connection and call receive_eof().
  std::optional<std::chrono::milliseconds> timeout() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::retrieval
