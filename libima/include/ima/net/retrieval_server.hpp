#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/service/proof_limiter.hpp>
#include <ima/tls/context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ima::net {

/// How a post office is set up.
struct retrieval_server_options {
  /// Where to listen: "127.0.0.1:20093", "[::1]:20093"; port 0 takes a free one.
  std::vector<std::string> listen{"[::]:20093"};
  limits bounds;                   ///< Sizes and deadlines of every connection.
  std::size_t workers = 4;         ///< Threads for proofs and the disk.
  std::size_t connections = 1000;  ///< At the same time; more wait in the kernel's queue.
  /// Of these, from one host (an IPv4 address, an IPv6 /64); more are closed at once.
  std::size_t connections_per_peer = 100;
  std::size_t senders = 16;      ///< Threads that wait for recipients' hosts.
  service::proof_limits proofs;  ///< How guessing passwords is made slow.
  /// The DNS names in a client certificate that verifies are user names. Only for a context that
  /// trusts nothing but the operator's own authority: any other could issue any name.
  bool trust_issued_names = false;
  /// Where OpenMetrics text is given over HTTP, an address on loopback; empty for nowhere.
  std::string metrics_listen;
  std::function<std::string()> metrics;  ///< Makes that text; called on the thread of run().
  log_sink* log = nullptr;               ///< Not owned; outlives the server.
};

/// A post office (docs/retrieval.md): accepts users' connections and answers them from a back end
/// on its worker threads. The context is made for tls::protocol::imrp. Movable before run();
/// destroyed when run() has returned, or was never called.
class IMA_API retrieval_server {
 public:
  /// Opens the listening sockets. `users` is not owned and outlives the server. Errors:
  /// fault::caller, rules `endpoint` (no address with a port), `listen`, `metrics-address`,
  /// `tls-protocol`, `workers` (1 to 1000 threads), `connections` (none, or none of a peer);
  /// fault::temporary `threads`, where the system starts no more.
  static result<retrieval_server> create(const retrieval_server_options& options,
                                         const tls::context& tls, retrieval::authenticator& users);
  retrieval_server(retrieval_server&&) noexcept;
  ~retrieval_server();

  /// The addresses that are listened on, with their ports.
  const std::vector<std::string>& addresses() const noexcept;

  /// Where the counters are given; empty where they are not.
  const std::string& metrics_address() const noexcept;

  /// Serves until stop(), then until the requests in hand are answered; their clients have
  /// limits::stopping for their part. Blocks. Called once.
  void run();
  /// Takes no more connections or requests and lets run() return. Thread-safe.
  void stop();
  /// New connections use `tls` from now on; running ones keep theirs. Thread-safe.
  void use(const tls::context& tls);
  /// New connections are within `bounds` from now on, and the most of them are these. Thread-safe.
  /// Error: fault::caller, rule `connections`, as in create(); then all stays as it was.
  result<void> use(const limits& bounds, std::size_t connections, std::size_t connections_per_peer);

 private:
  struct state;
  explicit retrieval_server(std::shared_ptr<state> s);
  std::shared_ptr<state> state_;
};

}  // namespace ima::net
