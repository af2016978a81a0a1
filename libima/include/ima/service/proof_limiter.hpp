#pragma once

#include <ima/export.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ima::service {

/// How guessing is made slow (docs/retrieval.md section 11).
struct proof_limits {
  std::chrono::milliseconds first_delay{500};       ///< After one failure; doubled by each more,
  std::chrono::milliseconds longest_delay{16'000};  ///< up to this.
  std::size_t of_user = 30;                         ///< Failures at one user name, then it is busy.
  std::size_t of_peer = 100;                        ///< Failures from one network.
  std::chrono::minutes half_life{10};               ///< Counted failures halve in this time.
  std::size_t remembered = 20'000;  ///< Users, and networks, that are kept count of.
};

/// Counts failed proofs of users and of networks, and says how long the next one waits. Unknown
/// users are counted like known ones, so it tells nothing of them. A user cannot be locked out of
/// where he has proved himself before: there only failures of his name from that network count. A
/// success makes nothing forgotten that others did. Keeps no secret. Thread-safe; the caller has
/// the clock.
class IMA_API proof_limiter {
 public:
  /// Of a clock that never goes back.
  using time = std::chrono::steady_clock::time_point;

  /// Nothing is counted yet.
  explicit proof_limiter(proof_limits bounds = {}) : bounds_(bounds) {}

  /// How long a proof of `user` from `network` waits before it is looked at; nothing: it is not
  /// looked at, the answer is `busy`.
  std::optional<std::chrono::milliseconds> delay(std::string_view user, std::string_view network,
                                                 time now);
  /// The proof did not hold.
  void failed(std::string_view user, std::string_view network, time now);
  /// The proof held: from that network the user's own failures are forgotten.
  void proved(std::string_view user, std::string_view network, time now);

 private:
  struct failures {
    std::size_t count = 0;
    time at;
  };
  using table = std::map<std::string, failures, std::less<>>;

  std::size_t count(const table& in, std::string_view key, time now) const;
  void add(table& in, std::string_view key, time now);

  proof_limits bounds_;
  std::mutex mutex_;  // guards what follows
  table users_;
  table networks_;
  table usual_;  // a user where he proved himself before, with the failures there since
};

}  // namespace ima::service
