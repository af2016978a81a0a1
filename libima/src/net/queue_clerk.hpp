#pragma once

#include "net/queue_lanes.hpp"

#include <ima/error.hpp>
#include <ima/log.hpp>
#include <ima/net/sender.hpp>
#include <ima/service/message_file.hpp>
#include <ima/service/queue.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ima::net {

/// What there is to do about a message whose turn has come: all empty where it is gone or held.
struct turn {
  std::optional<service::host_claim> claim;
  std::optional<service::message_file> message;  ///< Where it is to be sent.
  std::optional<std::chrono::sys_seconds> later;
};

/// A message as it was found.
struct looked_at {
  service::queued_message message;
  std::optional<error> problem;  ///< Why a host that is final is not done with.
};

/// When a share of a message is due again; nothing where it is done with.
using next_due = std::optional<std::chrono::sys_seconds>;

/// Reads the queue for a runner and writes down what became of its messages. Each call may wait for
/// the disk, so it is made on a worker thread; thread-safe.
class queue_clerk {
 public:
  /// `queue` and `log`, which may be null, are not owned.
  queue_clerk(service::queue& queue, const service::retry_policy& retry, log_sink* log);

  /// Reads a message, and finishes what a process that died left to be done about hosts that are
  /// final.
  result<looked_at> look_at(const std::string& id) const;
  /// Claims a host's share of a message, and opens the message where it is asked for.
  result<turn> take_up(const waiting& w, const std::string& host, bool with_message) const;
  /// What became of a try.
  result<next_due> write_down(service::host_claim& claim, const host_report& report,
                              std::chrono::sys_seconds created) const;
  /// The same for a host that could not be reached.
  result<next_due> write_down_failure(const waiting& w, const host_report& report) const;

  std::chrono::sys_seconds next_try_of(const lane& l) const;
  bool too_old(std::chrono::sys_seconds created) const;
  std::chrono::sys_seconds now() const { return queue_.disk().now(); }
  void log(log_level level, std::string_view name, std::string_view id, std::string_view host,
           std::string text) const;

 private:
  void log_result(std::string_view id, std::string_view host,
                  const delivery::recipient_result& r) const;
  result<void> finish(const std::string& id, const std::string& host) const;
  result<service::message_file> open(const std::string& id) const;
  result<turn> fail_damaged(service::host_claim& claim, const error& why) const;
  result<turn> give_up(service::host_claim& claim, std::chrono::sys_seconds created) const;

  service::queue& queue_;
  service::retry_policy retry_;
  log_sink* log_;
};

/// Until a message in other hands is looked at again.
inline constexpr std::chrono::seconds elsewhere{30};

}  // namespace ima::net
