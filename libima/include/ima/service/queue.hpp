#pragma once

#include <ima/body_source.hpp>
#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Messages that wait on disk for the hosts of their recipients (docs/queue.md). Who sends them is
// net::queue_runner.

namespace ima::service {

/// When a host is tried again, and when a message is given up.
struct retry_policy {
  std::chrono::seconds first{60};          ///< After the first try; then twice as long each time.
  std::chrono::seconds longest{14'400};    ///< But never longer than this.
  std::chrono::seconds lifetime{432'000};  ///< Then what still waits is given up.

  /// The most that counts of `lifetime`, as receivers may forget after 14 days what they have.
  static constexpr std::chrono::seconds longest_lifetime{13 * 86'400};

  /// Whether a message of that age is given up.
  IMA_API bool over(std::chrono::sys_seconds created, std::chrono::sys_seconds now) const;

  /// `draw`, from 0 to 1, spreads it over a quarter around the interval, so that what failed
  /// together is not tried together.
  IMA_API std::chrono::sys_seconds next(std::uint64_t tries, std::chrono::sys_seconds now,
                                        double draw) const;
};

/// One host's share of a queued message.
struct queued_host {
  std::string host;  ///< The hostpart.
  /// One for each recipient there; outcome::defer where it is still to be delivered.
  std::vector<delivery::recipient_result> results;
  std::uint64_t tries = 0;             ///< How often it was tried.
  std::chrono::sys_seconds next{};     ///< When it is due; not tried yet, since it was queued.
  std::chrono::sys_seconds changed{};  ///< When its last result came.
  std::string problem;                 ///< Of the last try; empty where there was none.
  bool reported = false;               ///< Its sender knows of the failures.
  bool hurried = false;                ///< An operator made it due since the last try.

  IMA_API bool open() const noexcept;  ///< A recipient still waits.
  /// A recipient does not get it, for good; also where the disk lost who they are.
  IMA_API bool failed() const noexcept;
};

/// A message that waits for one host or several.
struct queued_message {
  std::string id;                      ///< 64 hexadecimal digits.
  std::chrono::sys_seconds created{};  ///< When it was put in.
  std::string originator;              ///< The address that is told of failures.
  bool automatic = false;              ///< A report or another message that nobody is told about.
  bool held = false;                   ///< Not tried until it is released.
  std::vector<queued_host> hosts;      ///< In the order in which the message names them.
};

class queue;

/// One host's share of a queued message, locked: nobody else tries it while this lives. Movable;
/// one thread at a time; the file system of the queue outlives it, the queue need not. Errors:
/// those of mailbox::file_system.
class IMA_API host_claim {
 public:
  host_claim(host_claim&&) noexcept;
  host_claim& operator=(host_claim&&) noexcept;
  ~host_claim();

  const std::string& id() const noexcept;  ///< Of the message; it lives as long as the claim.
  /// As it was when it was claimed, with what was recorded since; it lives as long as the claim.
  const queued_host& state() const noexcept;

  /// A try has ended; durable when it returns. Results that are not final are tried again at
  /// `next`.
  result<void> record(const std::vector<delivery::recipient_result>& results,
                      std::string_view problem, std::chrono::sys_seconds next);
  /// Its sender knows of the failures; durable when it returns.
  result<void> mark_reported();
  /// It is due at once.
  result<void> make_due();

 private:
  friend class queue;
  struct content;
  explicit host_claim(std::unique_ptr<content> c);
  std::unique_ptr<content> content_;
};

/// A directory of messages to be sent. Any number of processes may use it at once; every change is
/// durable when its call returns, and a process or a host that dies at any instant leaves only
/// states that docs/queue.md lists. Errors: those of mailbox::file_system; fault::caller
/// `queue-format` (the directory is something else), `queue-id` (no message by this id);
/// fault::temporary `queue-busy` (being tried at this moment); fault::peer `queue-damaged` (the
/// disk did not keep what was queued). Movable; thread-safe; the file system outlives it.
class IMA_API queue {
 public:
  /// Makes the directory ready where it is not.
  static result<queue> open(mailbox::file_system& disk, std::string path);
  /// Never makes one: `queue-format` where there is none.
  static result<queue> open_existing(mailbox::file_system& disk, std::string path);
  queue(queue&&) noexcept;
  queue& operator=(queue&&) noexcept;
  ~queue();

  /// What add() made: a claim for each host, in the order in which the message names them.
  struct added {
    std::string id;        ///< 64 hexadecimal digits.
    bool already = false;  ///< It is queued already; then there are no claims.
    /// Destroying one gives its host up to whoever runs the queue.
    std::vector<host_claim> claims;
  };
  /// Puts a message in, to all its recipients. The same header block, its envelope included, is
  /// queued once. Errors also: those of `body`.
  result<added> add(const header_block& header, body_source& body);

  /// Every message that waits; in no order.
  result<std::vector<std::string>> ids() const;
  /// All that is known of a message; what the disk did not keep of its records is as if it had not
  /// been tried. Errors: `queue-id`; `queue-damaged` where nothing tells its sender or recipients.
  result<queued_message> read(std::string_view id) const;
  /// Its header block. Errors: `queue-id`, `queue-damaged`.
  result<header_block> header(std::string_view id) const;
  /// Where the message itself lies; of an id that ids() told.
  std::string message_path(std::string_view id) const;

  /// Nothing where somebody else has it, or it is gone.
  result<std::optional<host_claim>> claim(std::string_view id, std::string_view host) const;
  /// To be called when no recipient of the claim waits any more: reports its failures to the
  /// originator, as a message of this queue, and removes the message when all its hosts are done.
  result<void> settle(host_claim& done);

  /// It is not tried until release(); durable. Error: `queue-id`.
  result<void> hold(std::string_view id);
  /// Ends hold(); durable. Error: `queue-id`.
  result<void> release(std::string_view id);
  /// All its hosts are due at once.
  result<void> retry(std::string_view id);
  /// Removes a message without a report.
  result<void> drop(std::string_view id);

  /// Removes what a process that died left behind.
  result<void> sweep();
  /// Grows with each hold, release and retry, so that a runner notices.
  result<std::uint64_t> changes() const;

  /// The file system it was opened with.
  mailbox::file_system& disk() const noexcept;

 private:
  struct state;
  explicit queue(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::service
