#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/retrieval/server.hpp>

#include <memory>
#include <optional>
#include <string_view>

namespace ima::retrieval {

/// Answers the requests of one server session from a back end: the policy between the two, the same
/// for every transport. It waits for nothing but the back end, so call it on a worker thread while
/// nobody else touches the session.
///
///     any_request from next_event()  ->  begin()
///     while (busy()) { work(); send session.pending_output(); }
///
/// Session and authenticator must outlive it. Not thread-safe.
class IMA_API responder {
 public:
  /// `facts` is empty where the client showed no certificate.
  responder(server& session, authenticator& users, std::optional<certificate_facts> facts);
  responder(responder&&) noexcept;
  responder& operator=(responder&&) noexcept;
  ~responder();

  /// Takes a request. Error: fault::caller, rule `out-of-turn`, where one is in hand.
  result<void> begin(any_request request);
  /// Works on the request until it is answered or the session's output is full. Back end errors
  /// become replies; what is returned is for the log (nothing, or the error of the back end).
  std::optional<error> work();
  /// A request is not yet answered to its end.
  bool busy() const noexcept;

  /// The user, once he proved himself; for the log.
  std::string_view user() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::retrieval
