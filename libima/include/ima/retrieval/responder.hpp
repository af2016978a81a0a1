#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/retrieval/server.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace ima::retrieval {

/// How what happens on other threads comes to a responder's session.
struct responder_hooks {
  /// Runs an action that touches the session, at once or later, after those before it and before
  /// work() is called again. Called on any thread, while work() waits for the results of SEND.
  /// Empty: the action is run where it is made.
  std::function<void(std::function<void()> action)> with_session;
  /// A watched folder changed: give it to server::event(). Called on any thread, also while work()
  /// runs, and not after the responder is destroyed. Empty: WATCH is refused.
  account::tell_change changed;
  /// The user who watches may not go on: end his connection. Called as `changed` is; may be empty.
  std::function<void()> over = {};
};

/// Answers the requests of one server session from a back end: the policy between the two, the same
/// for every transport. It waits for nothing but the back end, so call it on a worker thread while
/// nobody else touches the session.
///
///     any_request from next_event()            ->  begin()
///     body_octets, body_end from next_event()  ->  take()
///     after each: do { work(); send session.pending_output(); } while (can_work());
///
/// Session and authenticator must outlive it. Movable; not thread-safe, apart from what
/// responder_hooks say.
class IMA_API responder {
 public:
  /// `facts` is empty where the client showed no certificate.
  responder(server& session, authenticator& users, std::optional<certificate_facts> facts,
            responder_hooks hooks = {});
  responder(responder&&) noexcept;
  responder& operator=(responder&&) noexcept;
  ~responder();

  /// Takes a request. Error: fault::caller, rule `out-of-turn`, where one is in hand.
  result<void> begin(any_request request);
  /// Takes a piece of the body, copied, or its end; then work().
  result<void> take(const body_octets& piece);
  /// The end of the body, or that the client took its message back. Errors of both: fault::caller,
  /// rule `out-of-turn`, where no body is due.
  result<void> take(const body_end& end);
  /// Works on the request until it is answered, the session's output is full, or more of a body is
  /// needed. Back end errors become replies; what is returned is for the log (nothing, or the error
  /// of the back end). A user who may not go on (account::may_go_on()) is dismissed: the session
  /// closes, and the error is fault::refused, rule `dismissed`.
  std::optional<error> work();
  /// A request is not yet answered to its end.
  bool busy() const noexcept;
  /// There is something to do that needs nothing more from the client.
  bool can_work() const noexcept;
  /// The next work() waits for recipients' hosts, which may take minutes.
  bool will_send() const noexcept;

  /// The user, once he proved himself; for the log.
  std::string_view user() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::retrieval
