#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"

#include <ima/delivery/handler.hpp>
#include <ima/delivery/server.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ima::net {

/// Serves one IMDP connection: moves octets between the connection and the session, asks the
/// handler on worker threads, keeps the deadlines. Runs on the connection's strand.
class delivery_service : public std::enable_shared_from_this<delivery_service> {
 public:
  delivery_service(connection c, const limits& bounds, delivery::handler& handler,
                   asio::thread_pool& workers, log_sink* log);

  asio::any_io_executor executor() { return executor_; }
  awaitable<void> run();
  /// Finishes the message in hand, then closes.
  void stop();
  /// Closes at once.
  void abort() { connection_.close(); }

 private:
  using fields = std::vector<std::pair<std::string_view, std::string>>;

  awaitable<void> serve();
  awaitable<bool> flush();
  awaitable<bool> handle(delivery::server_needs_input);
  awaitable<bool> handle(delivery::server_waits);
  awaitable<bool> handle(delivery::message_offered offered);
  awaitable<bool> handle(delivery::offer_refused refused);
  awaitable<bool> handle(delivery::body_received received);
  awaitable<bool> handle(delivery::body_complete);
  awaitable<bool> handle(delivery::body_damaged damaged);
  awaitable<bool> handle(delivery::offer_cancelled);
  awaitable<bool> handle(delivery::server_closed closed);

  result<void> check_originator(const header_block& header) const;
  delivery::header_answer judge(const header_block& header,
                                std::chrono::steady_clock::time_point asked);
  template <class Work>
  awaitable<std::invoke_result_t<Work>> on_worker(Work work);
  awaitable<void> drop();
  void forget();
  void count_offer(std::size_t recipients);
  void lapsed(std::uint64_t step);
  void pump();
  void watch();
  void log(log_level level, std::string_view name, fields more) const;

  connection connection_;
  asio::any_io_executor executor_;
  limits bounds_;
  delivery::handler& handler_;
  asio::strand<asio::thread_pool::executor_type> worker_;  // one thing after another
  log_sink* log_;
  std::optional<delivery::server> session_;
  std::unique_ptr<delivery::transaction> transaction_;
  delivery::peer_info peer_;
  std::string message_;       // digest of the message in hand, for the log
  std::uint64_t octets_ = 0;  // of its body
  std::size_t offers_ = 0;
  std::size_t recipients_ = 0;  // of all offers
  asio::steady_timer lapse_;
  std::uint64_t watched_step_ = 0;
  std::chrono::steady_clock::time_point began_;
  asio::steady_timer stop_patience_;
  bool stopping_ = false;
};

}  // namespace ima::net
