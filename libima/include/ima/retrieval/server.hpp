#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The post office's side of one retrieval connection (docs/retrieval.md section 6).

namespace ima::retrieval {

/// The requests, as plain records. Every word in them has been checked against its grammar.
namespace request {
/// A user wants to prove himself; `password` is empty where he does by his client certificate.
/// Answer with authenticated() or fail().
struct authenticate {
  std::string user;                ///< As he names himself; grammar checked, existence not.
  std::optional<secret> password;  ///< Wiped when it is destroyed.
};
/// Answer: folder() for each, then ok().
struct folders {};
/// Answer: ok(folder_status).
struct status {
  std::string folder;  ///< Its name.
};
/// Answer: change_line() for each, then ok(token, more); or fail(reason::resync).
struct changes {
  std::string folder;      ///< Its name.
  std::string token;       ///< From which state; `0` is the beginning.
  std::uint64_t page = 0;  ///< At most so many lines; already bounded by limits::page.
};
/// Answer: header() or gone() for each, in order, then ok().
struct headers {
  std::string folder;            ///< Its name.
  std::vector<std::string> ids;  ///< As the client named them, doubles included.
};
/// Answer: part_begin(), part_octets() until all are given, then ok().
struct fetch {
  std::string folder;        ///< Its name.
  std::string id;            ///< The message's.
  std::uint64_t part = 0;    ///< From 1.
  std::uint64_t offset = 0;  ///< Of the first octet; may lie behind the end: fail(reason::range).
  std::optional<std::uint64_t> length;  ///< Absent: to the end of the part.
};
/// Answer: gone() or changed() where that is so, then ok().
struct flag {
  std::string folder;            ///< Its name.
  std::vector<std::string> ids;  ///< The messages'.
  flag_change what;              ///< What to set and to clear, and on which condition.
};
/// Answer: gone() where that is so, then ok().
struct remove {
  std::string folder;            ///< Its name.
  std::vector<std::string> ids;  ///< The messages'.
};
/// Answer: gone() where that is so, then ok().
struct move {
  std::string folder;            ///< Where they are.
  std::string target;            ///< Where they go.
  std::vector<std::string> ids;  ///< The messages'.
};
/// Answer: copied() or gone() for each, then ok().
struct copy {
  std::string folder;            ///< Where they are.
  std::string target;            ///< Where the copies go.
  std::vector<std::string> ids;  ///< The messages'.
};
/// Answer: ok(), as for the next two.
struct create_folder {
  std::string folder;  ///< The new name.
  std::string role;    ///< Empty for none.
};
/// Renames this folder alone.
struct rename_folder {
  std::string folder;  ///< The name it has.
  std::string target;  ///< The name it gets.
};
/// Deletes an empty folder.
struct delete_folder {
  std::string folder;  ///< Its name.
};
/// Answer: accept(); then the body comes as events; then ok_id().
struct append {
  append_target what;  ///< Folder, flags and arrival.
  std::string block;   ///< The header block as it came, not yet parsed.
};
/// Answer: accept(), and after the body outcome() and note() as they come, then ok(send_end); or
/// these at once, where the message was sent before.
struct send {
  send_options options;  ///< What to do beside sending.
  std::string block;     ///< The header block as it came, not yet parsed.
};
/// Answer: found() for each, then ok_cursor().
struct search {
  std::string folder;      ///< Its name.
  std::string cursor;      ///< Empty for the first page.
  std::uint64_t page = 0;  ///< At most so many ids; already bounded by limits::page.
  search_query query;      ///< What to look for.
};
/// Answer: ok(quota_status).
struct quota {};
/// Answer: ok(), or fail(reason::auth), which counts as for authenticate.
struct password {
  secret old_password;  ///< Required, whatever proved the user.
  secret new_password;  ///< Its length is for the back end to judge.
};
/// Answer: ok(); event() is legal from now on. No folders: the watch is over.
struct watch {
  std::vector<watched_folder> folders;  ///< Each with the state to watch from.
};
/// Answer: queued() for each, then ok().
struct queue {};
}  // namespace request

/// One of the requests.
using any_request =
    std::variant<request::authenticate, request::folders, request::status, request::changes,
                 request::headers, request::fetch, request::flag, request::remove, request::move,
                 request::copy, request::create_folder, request::rename_folder,
                 request::delete_folder, request::append, request::send, request::search,
                 request::quota, request::password, request::watch, request::queue>;

/// Octets of the body that was accepted, zero copy: the view lives until the next call of any
/// member.
struct body_octets {
  octets bytes;  ///< In order, across the parts.
};
/// The body is complete, or the client took its message back.
struct body_end {
  bool cancelled = false;  ///< Nothing of the message is to stay.
};

/// The session needs octets: call receive() or receive_eof().
struct need_input {};
/// A request waits for its answer, or output waits to be sent; asking again changes nothing.
struct paused {};
/// The connection is over: send what is pending, then close. `why` is empty after DONE, or where
/// the client just went away between two requests.
struct closed {
  std::optional<error> why;  ///< The rule that was broken, for the log.
};

/// What server::next_event() gives.
using server_event = std::variant<need_input, paused, any_request, body_octets, body_end, closed>;

/// What a post office's session is made with.
struct server_options {
  std::string host;  ///< The hostpart this connection serves; it stands in the greeting.
  limits bounds;     ///< Sizes and deadlines; `bounds.page` caps every page.
  std::vector<std::string_view> capabilities;  ///< See namespace capability; in the greeting.
};

/// One connection as the post office sees it: octets in, requests out; answers in, octets out. No
/// socket, no clock, no file. Not thread-safe: one thread at a time. Movable.
///
/// Requests that the session can judge by itself (unknown command, malformed arguments, wrong
/// state) it answers itself, and they never appear. One request is in hand at a time; pipelined
/// ones wait, so replies come in order. Memory is bounded by limits::request_line,
/// limits::pending_output, limits::header_block and what the caller puts into one answer. The
/// octets of a body come as events and are not kept.
///
///     for (auto event = session.next_event(); event; event = session.next_event()) { … }
///
/// An answer out of turn is fault::caller, rule `out-of-turn`, and changes nothing. What an answer
/// is given is copied.
class IMA_API server {
 public:
  /// Puts the greeting into the output at once.
  explicit server(server_options options);
  server(server&&) noexcept;
  server& operator=(server&&) noexcept;
  ~server();

  /// Octets from the client. The view must live until next_event() returns need_input, paused
  /// or closed; what comes after that is dropped.
  void receive(octets input);
  /// The client will send nothing more.
  void receive_eof();
  /// The next event. What the client does wrong is in `closed`, and nothing else fails.
  result<server_event> next_event();

  /// The proof holds: everything else becomes legal. Refuse with fail(reason::auth, …), which
  /// counts: after limits::auth_failures the session closes.
  result<void> authenticated();

  /// A line of FOLDERS.
  result<void> folder(const folder_info& f);
  /// A line of CHANGES.
  result<void> change_line(const change& c);
  /// A message of HEADERS; the octets are copied.
  result<void> header(std::string_view id, const stored_header& h);
  /// A message that is not in the folder.
  result<void> gone(std::string_view id);
  /// A message that FLAG left alone.
  result<void> changed(std::string_view id);
  /// A message of COPY, and its copy's id.
  result<void> copied(std::string_view id, std::string_view new_id);
  /// A message that SEARCH found.
  result<void> found(std::string_view id);
  /// A message of QUEUE.
  result<void> queued(const queued_message& m);

  /// Takes the message of APPEND or SEND; exactly `body` octets are to come.
  result<void> accept(std::uint64_t body);
  /// A recipient of SEND.
  result<void> outcome(const recipient_outcome& o);
  /// `host` may be empty. Control characters in `text` are replaced.
  result<void> note(std::string_view host, std::string_view text);

  /// Announces `length` octets from `offset`; exactly so many must follow by part_octets().
  result<void> part_begin(std::uint64_t offset, std::uint64_t length);
  /// The octets are copied. Stop giving more while output_full(). Error: fault::caller, rule
  /// `part-length` where it is more than was announced.
  result<void> part_octets(octets piece);
  /// The announced octets cannot be had: the session closes, as the client can tell by the count.
  result<void> part_broken(error why);

  /// Ends a request that has nothing more to say.
  result<void> ok();
  /// Ends STATUS.
  result<void> ok(const folder_status& status);
  /// Ends CHANGES with the state after the page; `more` where there is another.
  result<void> ok(std::string_view token, bool more);
  /// Ends QUOTA.
  result<void> ok(const quota_status& status);
  /// Ends SEND.
  result<void> ok(const send_end& end);
  /// Ends APPEND with the message's id.
  result<void> ok_id(std::string_view id);
  /// Empty: there is no further page.
  result<void> ok_cursor(std::string_view cursor);
  /// Ends the request with FAIL or DEFER (docs/retrieval.md section 7), also after reply lines, but
  /// not inside a part. Control characters in `text` are replaced. What is still to come of a body
  /// is read and dropped.
  result<void> fail(reason why, std::string_view text);

  /// Ends the request with `FAIL auth`, and the connection with it: the user may not go on.
  result<void> dismiss(std::string_view text);

  /// A watched folder changed. Said between replies; of several for one folder the latest.
  void event(const watched_folder& now);

  /// Ends the connection after the request in hand: the next one is answered `DEFER shutdown`, and
  /// one that has not come whole is not waited for.
  void shut_down();

  /// Octets to send, valid until the next call of any other member; tell with sent() how many went.
  octets pending_output() const noexcept;
  /// The first `count` octets of pending_output() have gone.
  void sent(std::size_t count);
  /// More waits than limits::pending_output.
  bool output_full() const noexcept;

  /// How long to wait for the client (to send, or to take output) before closing with time_out();
  /// nothing while a request is being worked on and no output waits.
  std::optional<std::chrono::milliseconds> timeout() const noexcept;
  /// Changes whenever a new wait begins: a deadline counts from then, not from the last octets, so
  /// that a client who sends one octet a minute does not hold a connection for ever.
  std::uint64_t step() const noexcept;
  /// The caller's clock says timeout() is over: the session closes.
  void time_out();

  /// authenticated() was called.
  bool is_authenticated() const noexcept;
  /// Those of the options; they live as long as the session.
  const limits& bounds() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::retrieval
