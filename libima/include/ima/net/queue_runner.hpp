#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/net/dns.hpp>
#include <ima/net/sender.hpp>
#include <ima/service/queue.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

// Sending by way of a queue (docs/queue.md).

namespace ima::net {

/// Sends a message as send_message() does, but by way of the queue: what is refused for good in the
/// first round is sent nowhere; otherwise it is durably queued before the first body goes out, and
/// what cannot be delivered now stays there for a queue_runner. Recipients who fail for good are in
/// the report and are not reported by mail. `options.policy` is not looked at. Blocks; thread-safe,
/// as the queue is. Errors: those of send_message(). What fails at the queue is in the report
/// (send_report::queued is false, or a host's problem) and in the log.
IMA_API result<send_report> send_or_queue(const header_block& header, body_source& body,
                                          service::queue& queue, const tls::context& tls,
                                          const sender_options& options,
                                          const service::retry_policy& retry);

/// How a queue is run.
struct queue_runner_options {
  std::map<std::string, std::string, std::less<>> hosts;  ///< As in sender_options.
  dns_options dns;                                        ///< How other hosts are looked up.
  limits bounds;                          ///< Sizes and deadlines of every connection.
  service::retry_policy retry;            ///< When a host is tried again.
  std::size_t connections = 200;          ///< At the same time.
  std::size_t per_host = 4;               ///< To one host at the same time.
  std::size_t workers = 4;                ///< Threads for the disk, 1 to 1000.
  std::chrono::milliseconds scan{1'000};  ///< How often it looks for new messages.
  log_sink* log = nullptr;                ///< Not owned; outlives the runner.

  /// Where run() gives OpenMetrics text over HTTP, an address on loopback; empty for nowhere.
  std::string metrics_listen;
  std::function<std::string()> metrics;  ///< Makes that text; called on the thread of run().
};

/// Delivers what is due in a queue (docs/queue.md sections 5 and 6): host by host, so that one that
/// is away delays nobody, several messages over one connection. Any number of runners, and of
/// senders, may share a queue. Movable; one thread at a time but for stop() and use(); destroyed
/// when no call runs.
class IMA_API queue_runner {
 public:
  /// `queue` is not owned and outlives the runner. Errors: fault::caller, rules `tls-protocol` (the
  /// context is not for IMDP), `workers`, `dns-server`, `endpoint`, `connections` (none, or none to
  /// one host), `listen`, `metrics-address`; fault::temporary `dns` (no resolver can be made),
  /// `threads` (the system starts no more).
  static result<queue_runner> create(service::queue& queue, const tls::context& tls,
                                     const queue_runner_options& options);
  queue_runner(queue_runner&&) noexcept;
  ~queue_runner();

  /// Where the counters are given; empty where they are not.
  const std::string& metrics_address() const noexcept;

  /// Runs until stop(), then until the messages in hand are answered. Blocks; may be called again.
  /// Errors: those of the queue, when it cannot be read at the start.
  result<void> run();
  /// Tries what is due now, once, and returns. `interrupted` is asked ten times a second, where it
  /// is given, on the calling thread; when it says true this ends as by stop(). Errors as run().
  result<void> run_once(const std::function<bool()>& interrupted = {});
  /// Lets run() or run_once() return. Thread-safe.
  void stop();
  /// New connections use `tls` from now on. Thread-safe.
  void use(const tls::context& tls);
  /// From now on: hosts, bounds, retry, connections, per_host and scan of these options. Name
  /// servers, workers and log stay as they were. Thread-safe. Errors: fault::caller, rules
  /// `endpoint` and `connections`, as in create(); then all stays as it was.
  result<void> use(const queue_runner_options& options);

 private:
  struct state;
  explicit queue_runner(std::shared_ptr<state> s);
  std::shared_ptr<state> state_;
};

}  // namespace ima::net
