#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/resolver.hpp"

#include <ima/body_source.hpp>
#include <ima/delivery/client.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ima::net {

/// What all connections of a sender share.
struct sending_means {
  asio::io_context& loop;
  resolver& dns;
  asio::thread_pool& workers;  ///< For whatever waits for a disk.
  tls::context tls;
  const std::map<std::string, std::string, std::less<>>& hosts;
  limits bounds;
  /// The time by which certificates are judged.
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
};

/// Our certificate for `domain`, looked at before it is shown, at the time `now`. Errors:
/// fault::caller `no-certificate`, `tls-protocol`; fault::temporary `certificate-expired`.
result<void> check_own_certificate(const tls::context& tls, std::string_view domain,
                                   std::chrono::system_clock::time_point now);

/// What has come back about one message.
struct exchange {
  bool accepted = false;         ///< The host waits for the body.
  bool over = false;             ///< Nothing more will come.
  bool sent = false;             ///< The whole body may have left.
  std::optional<error> problem;  ///< Why it is over, if not by one of these:
  std::optional<delivery::offer_declined> declined;
  std::optional<delivery::delivery_complete> complete;
  /// Hears of each line as it comes.
  std::function<void(const delivery::client_event&)> hear = [](const delivery::client_event&) {};
};

/// A sender's connection to one hostpart, for one message after the other. It reads at all times,
/// so that it notices what the server says, or that it went, also while a body is being sent or
/// other hosts are being asked. Lives on one event loop; held by shared_ptr.
class delivery_link : public std::enable_shared_from_this<delivery_link> {
 public:
  using clock = std::chrono::steady_clock;

  /// `sender` is the domain that our certificate proves.
  delivery_link(sending_means& means, std::string host, std::string sender);

  /// Finds and connects to the host, proves both sides and takes the greeting, by `until`.
  awaitable<result<void>> open(clock::time_point until);
  /// Another message may be offered: it is open, idle, not too old, and both certificates are good.
  bool usable() const;

  /// Offers a message and waits until it is accepted or over, by `until`. `about` must live until
  /// it is over or withdrawn.
  awaitable<void> offer(const header_block& header, exchange& about, clock::time_point until);
  /// Sends the body of the accepted message and waits until it is over.
  awaitable<void> send_body(const header_block& header, body_source& body, exchange& about);
  /// Takes the offer back.
  void withdraw();

  /// Says DONE where that is possible, and closes.
  awaitable<void> close();

  const std::string& host() const noexcept { return host_; }

 private:
  awaitable<result<void>> take(tcp::socket socket);
  awaitable<result<void>> greeting();
  awaitable<void> read_loop();
  awaitable<result<void>> read_more();
  awaitable<void> send_pieces(const header_block& header, body_source& body, exchange& about);
  void heard(delivery::client_event event);
  void end(error why);
  void settle();
  void flush();
  void watch();
  void arm(std::chrono::milliseconds patience);

  sending_means& means_;
  std::string host_;
  std::string sender_;
  std::shared_ptr<connection> connection_;
  std::optional<delivery::client> session_;
  asio::steady_timer changed_;  // cancelled when the exchange in hand has changed
  exchange* current_ = nullptr;
  std::optional<clock::time_point> until_;
  clock::time_point began_{};
  std::uint64_t watched_step_ = UINT64_MAX;
  bool body_open_ = false;
  bool ended_ = true;
  error why_ended_;
};

}  // namespace ima::net
