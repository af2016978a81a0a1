#pragma once

#include <ima/delivery/types.hpp>
#include <ima/header.hpp>

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace ima::service {

/// The messages that a handler is working on, so that a second copy of one waits
/// (docs/delivery.md section 5). Thread-safe.
class in_hand {
 public:
  bool take(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return keys_.insert(key).second;
  }
  void leave(const std::string& key) {
    const std::lock_guard lock(mutex_);
    keys_.erase(key);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> keys_;
};

/// A message on its way to one host.
inline std::string key_of(const header_block& header, const delivery::peer_info& peer) {
  return header.id_digest().hex() + peer.host;
}

/// One message's place among those in hand, while it is alive.
class claim {
 public:
  claim(in_hand& among, std::string key) : among_(among) {
    if (among_.take(key)) key_ = std::move(key);
  }
  claim(const claim&) = delete;
  claim& operator=(const claim&) = delete;
  ~claim() {
    if (key_) among_.leave(*key_);
  }
  bool ours() const noexcept { return key_.has_value(); }

 private:
  in_hand& among_;
  std::optional<std::string> key_;
};

}  // namespace ima::service
