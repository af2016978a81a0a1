#pragma once

#include "imrp_view.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What a server acknowledged to many clients, and what must therefore be there in the end. Of two
// commands it is known which was first only where one had ended before the other began.

namespace conformance {

/// One flag of one message.
class flag_history {
 public:
  using values = std::set<bool>;
  using moment = std::uint64_t;

  /// What it had before all writes; at first it may be either.
  void begin_with(values before) { before_ = std::move(before); }
  /// A write was sent; what end() calls it.
  std::size_t begin(bool value, moment at);
  /// The write was answered, and done or not.
  void end(std::size_t which, moment at, bool done);
  /// What it may have once all writes ended: what a write gave that no other began behind.
  values last() const;
  /// What it may have had at any moment until now.
  values ever() const;
  /// Nobody is at work, and this is what it has.
  void settle(bool value);

 private:
  struct write {
    bool value = false;
    moment begun = 0;
    moment ended = 0;  // 0: not yet
    bool done = true;
  };
  bool overwritten(const write& w) const;

  values before_{false, true};
  std::vector<write> writes_;
};

/// Safe from many threads.
class ledger {
 public:
  /// The flags that clients change.
  static constexpr std::string_view flags[] = {"seen", "flagged", "answered", "own"};

  void complain(std::string what);
  /// A message was put into a folder, with these flags.
  void made(const std::string& id, const std::string& folder, const std::set<std::string>& with,
            const std::string& body);
  void copied(const std::string& id, const std::string& folder, const std::string& original);
  void moved(const std::string& id, const std::string& from, const std::string& to);
  void removed(const std::string& id, const std::string& from);

  /// A change of a flag was sent; what flag_answered() calls it.
  std::size_t flag_sent(const std::string& id, std::string_view flag, bool set);
  void flag_answered(const std::string& id, std::string_view flag, std::size_t change, bool done);

  /// The body of a message; empty where that is not known yet.
  std::string body_of(const std::string& id);
  /// Nobody is at work: complains of whatever is there against what was acknowledged.
  void compare(const messages& all);

  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct account {
    std::string body;
    std::map<std::string, int> arrivals;  // by folder, less the departures
    std::map<std::string, flag_history, std::less<>> flags;
  };

  void begin(const std::string& id, const std::string& folder, const std::string& body);
  void compare_place(const std::string& id, account& known, const seen_message* there);
  void compare_flags(const std::string& id, account& known, const seen_message& there);

  std::mutex mutex_;
  flag_history::moment now_ = 0;
  std::map<std::string, account> messages_;
  std::vector<std::string> complaints_;
};

}  // namespace conformance
