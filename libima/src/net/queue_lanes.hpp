#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

// Which host a queue runner connects to next (docs/queue.md section 6). Knows no socket and no
// clock; used by one thread.

namespace ima::net {

/// A host's share of a message. Ordered by when it is due.
struct waiting {
  std::chrono::sys_seconds next;
  std::chrono::sys_seconds created;
  std::string id;

  friend bool operator<(const waiting& a, const waiting& b);
};

/// For a host that nobody knows yet, until it has greeted.
inline constexpr std::chrono::seconds first_moment{3};

/// What is known of a host.
enum class standing : std::uint8_t {
  answers,  ///< It did the last time.
  fresh,    ///< Nothing yet: it is given first_moment.
  slow,     ///< It did not answer the last time, or not within that moment.
};

/// Everything that goes to one host under one of our domains, which has connections of its own. All
/// lanes to a host share what connections it may have.
struct lane {
  std::string host;
  std::string sender;
  std::set<waiting> queue{};
  std::size_t running = 0;     ///< Connections.
  std::uint64_t failures = 0;  ///< To connect, one after the other.
  standing known = standing::fresh;
  std::chrono::sys_seconds not_before{};

  bool due(std::chrono::sys_seconds now) const;
};

/// One of the connections that a runner may have, on its way to a host or open.
struct connection_slot {
  std::shared_ptr<lane> to;
  standing as;
  std::chrono::sys_seconds since;
};

/// All lanes, and who of them gets a connection: so shared that hosts which answer never wait for
/// those that do not, and the ones nobody knows yet for neither.
class lane_table {
 public:
  lane_table(std::size_t connections, std::size_t per_host);

  void set_most(std::size_t connections, std::size_t per_host);
  void put(const std::string& host, const std::string& sender, waiting w);
  /// Forgets what waits, which is read anew, but not which hosts are away.
  void clear();
  /// A host that is away is tried as soon as something is due.
  void hurry(const std::string& host, const std::string& sender);

  /// Those whose turn it is. Each slot is taken until it is given back.
  std::vector<connection_slot> take_slots(std::chrono::sys_seconds now);
  void give_back(const connection_slot& slot);
  /// Its host answered.
  void answered(connection_slot& slot);
  /// Its host did not, and is left alone until `not_before`.
  void failed(lane& l, std::chrono::sys_seconds not_before);
  /// Its host did not within the first moment; it is tried again with more patience.
  void took_too_long(lane& l);
  /// Whether a connection should end for another of our domains, which has something due for this
  /// host and no connection, while the host has all that it may have.
  bool keeps_another_waiting(const lane& l, std::chrono::sys_seconds now) const;

 private:
  using lanes = std::vector<std::shared_ptr<lane>>;

  std::size_t room(standing s) const;
  std::size_t room_for_fresh(std::chrono::sys_seconds now) const;
  std::size_t worth(const lane& l, std::chrono::sys_seconds now) const;
  bool host_is_full(const std::string& host) const;
  bool may_have_another(const lane& l, std::chrono::sys_seconds now) const;
  lanes ready(standing s, std::chrono::sys_seconds now) const;
  void take(const std::shared_ptr<lane>& l, std::chrono::sys_seconds now,
            std::vector<connection_slot>& out);
  void no_more(const connection_slot& slot);
  void take_answering(std::chrono::sys_seconds now, std::vector<connection_slot>& out);
  void take_fresh(std::chrono::sys_seconds now, std::vector<connection_slot>& out);
  void take_slow(std::chrono::sys_seconds now, std::vector<connection_slot>& out);
  std::size_t& used(standing s) { return used_[static_cast<std::size_t>(s)]; }
  std::size_t used(standing s) const { return used_[static_cast<std::size_t>(s)]; }

  std::size_t most_;
  std::size_t per_host_;
  std::map<std::string, std::shared_ptr<lane>> all_;      // a host's one after the other
  std::unordered_map<std::string, std::size_t> running_;  // connections, by host
  std::unordered_set<std::string> alive_;                 // lanes whose host answered last time
  std::size_t used_[3] = {0, 0, 0};                       // slots, by standing
  std::chrono::sys_seconds second_{};  // the last in which fresh hosts were taken,
  std::size_t in_second_ = 0;          // and how many of these slots are still theirs
  bool latest_has_turn_ = false;       // of fresh hosts, where one more is taken
};

}  // namespace ima::net
