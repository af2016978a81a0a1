#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ima::net {

/// How a receiving server is set up.
struct delivery_server_options {
  /// Where to listen: "127.0.0.1:20025", "[::1]:20025"; port 0 takes a free one.
  std::vector<std::string> listen{"[::]:20025"};
  limits bounds;  ///< Sizes and deadlines of every connection.
  /// Threads for handlers and the disk. They mostly wait: so many messages are synced together.
  std::size_t workers = 16;
  std::size_t commands = 16;       ///< Threads for what waits for programs, which bounds these.
  std::size_t connections = 1000;  ///< At the same time; more wait in the kernel's queue.
  /// Of these, from one host (an IPv4 address, an IPv6 /64); more are closed at once.
  std::size_t connections_per_peer = 100;
  /// Where OpenMetrics text is given over HTTP, an address on loopback; empty for nowhere.
  std::string metrics_listen;
  std::function<std::string()> metrics;  ///< Makes that text; called on the thread of run().
  log_sink* log = nullptr;               ///< Not owned; outlives the server.
  /// The time by which a certificate's validity is judged with each message.
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
};

/// Receives mail from other servers (docs/delivery.md): accepts connections, proves both sides, and
/// hands messages to a handler on its worker threads. Movable before run(); destroyed when run()
/// has returned, or was never called.
class IMA_API delivery_server {
 public:
  /// Opens the listening sockets. `handler` is not owned and outlives the server. Errors:
  /// fault::caller, rules `endpoint` (no address with a port), `listen`, `metrics-address`,
  /// `tls-protocol`, `workers` (1 to 1000 threads), `connections` (none, or none of a peer);
  /// fault::temporary `threads`, where the system starts no more.
  static result<delivery_server> create(const delivery_server_options& options,
                                        const tls::context& tls, delivery::handler& handler);
  delivery_server(delivery_server&&) noexcept;
  ~delivery_server();

  /// The addresses that are listened on, with their ports.
  const std::vector<std::string>& addresses() const noexcept;

  /// Where the counters are given; empty where they are not.
  const std::string& metrics_address() const noexcept;

  /// Serves until stop(), then until the messages in hand are answered. Blocks. Called once.
  void run();
  /// Takes no more connections or messages and lets run() return. Thread-safe.
  void stop();
  /// New connections use `tls` from now on; running ones keep theirs. Thread-safe.
  void use(const tls::context& tls);
  /// New connections are within `bounds` from now on, and the most of them are these. Thread-safe.
  /// Error: fault::caller, rule `connections`, as in create(); then all stays as it was.
  result<void> use(const limits& bounds, std::size_t connections, std::size_t connections_per_peer);

 private:
  struct state;
  explicit delivery_server(std::shared_ptr<state> s);
  std::shared_ptr<state> state_;
};

}  // namespace ima::net
