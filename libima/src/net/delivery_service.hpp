#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"

#include <ima/delivery/handler.hpp>
#include <ima/delivery/server.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/net/delivery_server.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::net {

/// What the connections of one receiver share.
struct delivery_office {
  delivery_office(const delivery_server_options& o, delivery::handler& h)
      : bounds(o.bounds), handler(h), log(o.log), now(o.now), programs(o.commands) {}

  limits bounds;  // of the connections that come; used on the loop's thread alone
  delivery::handler& handler;
  log_sink* log;
  std::function<std::chrono::system_clock::time_point()> now;
  asio::thread_pool programs;  // for what waits for programs
};

/// Serves one IMDP connection: moves octets between the connection and the session, asks the
/// handler on worker threads, keeps the deadlines. Runs on the connection's strand.
class delivery_service : public std::enable_shared_from_this<delivery_service> {
 public:
  delivery_service(connection c, std::shared_ptr<delivery_office> office,
                   asio::thread_pool& workers);

  asio::any_io_executor executor() { return executor_; }
  awaitable<void> run();
  /// Finishes the message in hand, then closes.
  void stop();
  /// Closes at once.
  void abort() { connection_.close(); }

 private:
  using fields = std::vector<std::pair<std::string_view, std::string>>;
  using strand = asio::strand<asio::thread_pool::executor_type>;  // one thing after another

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
  awaitable<delivery::header_answer> judge(const header_block& header);
  strand& threads();
  awaitable<void> drop();
  void forget();
  void count_offer(std::size_t recipients);
  void lapsed(std::uint64_t step);
  void pump();
  std::chrono::milliseconds left() const;
  void watch();
  void log(log_level level, std::string_view name, fields more) const;

  connection connection_;
  asio::any_io_executor executor_;
  std::shared_ptr<delivery_office> office_;
  limits bounds_;
  strand workers_;
  strand programs_;
  std::optional<delivery::server> session_;
  std::unique_ptr<delivery::transaction> transaction_;
  delivery::peer_info peer_;
  std::string message_;       // digest of the message in hand, for the log
  std::uint64_t octets_ = 0;  // of its body
  std::size_t offers_ = 0;
  std::size_t recipients_ = 0;  // of all offers
  asio::steady_timer lapse_;
  static constexpr std::uint64_t never = ~std::uint64_t{0};  // no step of a session
  std::uint64_t watched_step_ = never;
  std::chrono::steady_clock::time_point began_;
  asio::steady_timer stop_patience_;
  bool stopping_ = false;
  bool finishing_ = false;  // the handler has the whole message
  bool over_ = false;       // nothing is left to stop
};

}  // namespace ima::net
