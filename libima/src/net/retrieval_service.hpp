#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"

#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/retrieval/responder.hpp>
#include <ima/retrieval/server.hpp>
#include <ima/service/proof_limiter.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::net {

/// What the connections of one post office share.
struct retrieval_office {
  retrieval_office(const retrieval_server_options& o, retrieval::authenticator& u,
                   const asio::any_io_executor& loop)
      : options(o),
        users(u),
        limiter(o.proofs),
        senders(o.senders),
        room(loop, asio::steady_timer::time_point::max()) {}

  retrieval_server_options options;
  retrieval::authenticator& users;
  service::proof_limiter limiter;
  asio::thread_pool senders;
  std::size_t proving = 0;  // proofs that workers look at; used on the loop's thread alone
  asio::steady_timer room;  // cancelled when there is room for another
};

/// Serves one IMRP connection: moves octets between the connection and the session, lets the
/// responder work on worker threads, keeps the deadlines. Runs on the connection's strand; while a
/// worker has the session, nothing here touches it.
class retrieval_service : public std::enable_shared_from_this<retrieval_service> {
 public:
  /// `office` is what all connections of a server share.
  retrieval_service(connection c, std::shared_ptr<retrieval_office> office,
                    asio::thread_pool& workers);

  asio::any_io_executor executor() { return executor_; }
  awaitable<void> run();
  /// Finishes the request in hand, for which there is limits::stopping, then closes.
  void stop();
  /// Closes at once.
  void abort() { connection_.close(); }

 private:
  using fields = std::vector<std::pair<std::string_view, std::string>>;

  awaitable<void> serve();
  awaitable<bool> handle(retrieval::need_input);
  awaitable<bool> handle(retrieval::paused);
  awaitable<bool> handle(retrieval::any_request request);
  awaitable<bool> handle(retrieval::body_octets piece);
  awaitable<bool> handle(retrieval::body_end end);
  awaitable<bool> prove(retrieval::any_request request, std::string user);
  bool client_left();
  awaitable<bool> work(bool together = false);
  std::vector<error> answer(bool together);
  awaitable<bool> handle(retrieval::closed closed);

  std::optional<retrieval::certificate_facts> client_certificate() const;
  retrieval::responder_hooks hooks();
  void tell(const retrieval::watched_folder& now);
  void dismiss();
  void limit_age();
  void end_within(std::chrono::milliseconds patience);
  bool nothing_in_hand();
  void end_wait();
  void end_late();
  void pump();
  awaitable<bool> flush();
  void watch();
  void log(log_level level, std::string_view name, fields more) const;

  connection connection_;
  asio::any_io_executor executor_;
  asio::steady_timer age_;    // then the time of what is in hand
  asio::steady_timer pause_;  // of a proof that waits its time
  std::shared_ptr<retrieval_office> office_;
  asio::thread_pool& workers_;
  std::string peer_;
  std::string network_;  // of the peer, as guesses are counted
  std::optional<retrieval::server> session_;
  std::optional<retrieval::responder> responder_;
  // The wait whose deadline is armed; nothing where none is.
  std::optional<std::pair<std::uint64_t, std::chrono::milliseconds>> watched_;
  std::optional<retrieval::server_event> next_;    // a request taken from the session, to be begun
  bool reading_ = false;                           // waiting for the client, so the session is ours
  bool working_ = false;                           // a worker has the session
  std::vector<retrieval::watched_folder> events_;  // came while a worker had the session
  std::string_view failed_rule_;                   // of the request that was worked on last
  bool stopping_ = false;
  bool ended_ = false;      // by end_wait()
  bool late_ = false;       // nobody waits any longer for the client to take what is his
  bool dismissed_ = false;  // the user may not go on
};

}  // namespace ima::net
