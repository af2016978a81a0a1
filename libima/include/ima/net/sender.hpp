#pragma once

#include <ima/body_source.hpp>
#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/net/dns.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ima::net {

/// What became of a message at one host.
struct host_report {
  std::string host;        ///< The hostpart.
  bool permanent = false;  ///< With a problem: trying again will not help.
  bool unknown = false;    ///< With a problem: it may have been delivered; safe to repeat.
  bool withdrawn = false;  ///< It would have been taken, but was not sent because of other hosts.
  std::string problem;     ///< Why nothing was delivered here; empty where a verdict came.
  std::vector<delivery::recipient_result> results;  ///< One for each recipient at this host.
  std::vector<std::string> notes;                   ///< Remarks of the host, for people.
};

/// Hears of a sending while it goes on. Called on the thread that sends; what is called on a worker
/// thread may come at the same time as the others. What it is given lives during the call. Must not
/// throw. By default each does nothing.
class IMA_API send_observer {
 public:
  virtual ~send_observer() = default;
  /// A host answered the header, or could not be asked: `problem` is empty where it takes the
  /// message or has it already.
  virtual void answered(std::string_view host, std::string_view problem);
  /// A recipient's line, before the verdict; the host may yet fail to confirm it.
  virtual void recipient(std::string_view host, const delivery::recipient_result& line);
  /// A remark of a host for people, from a stranger.
  virtual void note(std::string_view host, std::string_view text);
  /// All that will be known of a host, on a worker thread, so that it may be written to a disk.
  virtual void keep(const host_report& host);
  /// The same, after keep().
  virtual void finished(const host_report& host);
  /// The message is in a queue (send_or_queue()), so whoever cannot get it now gets it later.
  /// Called on a worker thread.
  virtual void queued();
  /// The hosts have answered and bodies are about to go out; `hosts` says what is known by now. An
  /// error withdraws the message everywhere. Called on a worker thread, so it may wait for a disk.
  virtual result<void> before_bodies(const std::vector<host_report>& hosts);
};

/// What a problem for now at one host means for the others.
enum class send_policy : std::uint8_t {
  all_or_none,    ///< It is sent nowhere.
  send_the_rest,  ///< It is sent to those who take it; the caller tries the others again.
};

/// How a message is sent.
struct sender_options {
  /// Where a hostpart is reached ("127.0.0.1:20025"); others are looked up in the DNS.
  std::map<std::string, std::string, std::less<>> hosts;
  dns_options dns;  ///< How hosts that are not in `hosts` are looked up.
  limits bounds;    ///< What a host may send at most, and how long each step may take.
  std::chrono::milliseconds header_round{45'000};  ///< For all hosts to answer the header.
  send_policy policy = send_policy::all_or_none;   ///< What a problem for now means for the others.
  send_observer* observer = nullptr;               ///< Not owned; outlives the call.
  log_sink* log = nullptr;                         ///< Not owned; outlives the call.

  /// Asked several times a second, on the calling thread, while the message is being sent; where it
  /// says true nothing is waited for any more: fault::unknown `interrupted`. May be empty.
  std::function<bool()> interrupted = {};
};

/// What became of a message as a whole.
struct send_report {
  /// The four ways it can end.
  enum class outcome : std::uint8_t {
    delivered,  ///< Every recipient has it.
    refused,    ///< No recipient has it, and at least one problem is for good.
    deferred,   ///< No recipient is known to have it, and every problem is for now.
    mixed,      ///< Some recipients have it and some have not.
  };
  outcome what = outcome::deferred;  ///< Which of them.
  std::vector<host_report> hosts;    ///< In the order in which the message names them.
  bool queued = false;               ///< What is deferred waits in a queue (send_or_queue).
};

/// Sends a message to all its recipients (docs/delivery.md section 8): every host gets the header
/// first, in parallel; only if none objects does the body go anywhere. Blocks; thread-safe. `body`
/// is read on another thread, one call at a time, and only where a host takes the message. Our
/// certificate is the one that proves the originator's hostpart. Errors: fault::caller,
/// `recipients-missing`, `no-certificate`, `tls-protocol` (not for IMDP), `dns-server`, `endpoint`
/// (in options.hosts); fault::temporary `certificate-expired` (our own), `dns` (no resolver can be
/// made), `threads`; fault::unknown `interrupted`; those of hosts and of `body` are in the report.
IMA_API result<send_report> send_message(const header_block& header, body_source& body,
                                         const tls::context& tls, const sender_options& options);

}  // namespace ima::net
