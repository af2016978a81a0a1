#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ima::translate {

/// Which hashes were seen, in 11 to 32 octets each: the nodes of std::unordered_set take a hundred,
/// as they keep memory between them from being used again.
class hash_table {
 public:
  bool contains(std::uint64_t hash) const { return slots_[slot_of(slots_, hash)] != empty; }
  void insert(std::uint64_t hash) {
    std::uint64_t& slot = slots_[slot_of(slots_, hash)];
    if (slot != empty) return;
    slot = stored(hash);
    if (++count_ * 4 > slots_.size() * 3) grow();
  }

 private:
  static constexpr std::uint64_t empty = 0;
  static std::uint64_t stored(std::uint64_t hash) { return std::max<std::uint64_t>(hash, 1); }

  // Where the hash is, or belongs.
  static std::size_t slot_of(const std::vector<std::uint64_t>& slots, std::uint64_t hash) {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = hash & mask;
    while (slots[at] != empty && slots[at] != stored(hash)) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<std::uint64_t> larger(2 * slots_.size());
    for (const std::uint64_t hash : slots_)
      if (hash != empty) larger[slot_of(larger, hash)] = hash;
    slots_ = std::move(larger);
  }

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1024);  // a power of two
  std::size_t count_ = 0;
};

}  // namespace ima::translate
