#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"

#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/retrieval/responder.hpp>
#include <ima/retrieval/server.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::net {

/// Serves one IMRP connection: moves octets between the connection and the session, lets the
/// responder work on worker threads, keeps the deadlines. Runs on the connection's strand; while a
/// worker has the session, nothing here touches it.
class retrieval_service : public std::enable_shared_from_this<retrieval_service> {
 public:
  retrieval_service(connection c, const retrieval_server_options& options,
                    retrieval::authenticator& users, asio::thread_pool& workers);

  asio::any_io_executor executor() { return executor_; }
  awaitable<void> run();
  /// Finishes the request in hand, then closes.
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
  awaitable<bool> work();
  awaitable<bool> handle(retrieval::closed closed);

  std::optional<retrieval::certificate_facts> client_certificate() const;
  retrieval::responder_hooks hooks();
  void tell(const retrieval::watched_folder& now);
  void pump();
  awaitable<bool> flush();
  void watch();
  void log(log_level level, std::string_view name, fields more) const;

  connection connection_;
  asio::any_io_executor executor_;
  retrieval_server_options options_;
  retrieval::authenticator& users_;
  asio::thread_pool& workers_;
  std::string peer_;
  std::optional<retrieval::server> session_;
  std::optional<retrieval::responder> responder_;
  // The wait whose deadline is armed; nothing where none is.
  std::optional<std::pair<std::uint64_t, std::chrono::milliseconds>> watched_;
  bool reading_ = false;                           // waiting for the client, so the session is ours
  std::vector<retrieval::watched_folder> events_;  // came while a worker had the session
  bool stopping_ = false;
};

}  // namespace ima::net
