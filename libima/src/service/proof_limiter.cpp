#include <ima/service/proof_limiter.hpp>

#include <algorithm>
#include <cstdint>

namespace ima::service {

namespace {

std::string pair_of(std::string_view user, std::string_view network) {
  return std::string(user) + '\n' + std::string(network);
}

}  // namespace

std::size_t proof_limiter::count(const table& in, std::string_view key, time now) const {
  const auto found = in.find(key);
  if (found == in.end()) return 0;
  const auto halves = (now - found->second.at) / bounds_.half_life;
  return halves >= 32
             ? 0
             : found->second.count >> static_cast<unsigned>(std::max<std::int64_t>(halves, 0));
}

// Where a table is full, what happened longest ago goes.
void proof_limiter::add(table& in, std::string_view key, time now) {
  const std::size_t so_far = count(in, key, now);
  if (in.size() >= bounds_.remembered && in.find(key) == in.end())
    in.erase(std::ranges::min_element(in, {}, [](const auto& entry) { return entry.second.at; }));
  in.insert_or_assign(std::string(key), failures{so_far + 1, now});
}

std::optional<std::chrono::milliseconds> proof_limiter::delay(std::string_view user,
                                                              std::string_view network, time now) {
  const std::scoped_lock guard(mutex_);
  const std::string usual = pair_of(user, network);
  const bool known = usual_.contains(usual);
  const std::size_t of_network = known ? 0 : count(networks_, network, now);
  const std::size_t of_user = known ? count(usual_, usual, now) : count(users_, user, now);
  if (of_network >= bounds_.of_peer || of_user >= bounds_.of_user) return std::nullopt;
  const std::size_t most = std::max(of_network, of_user);
  if (most == 0) return std::chrono::milliseconds(0);
  const auto doubled = std::min<std::size_t>(most - 1, 20);
  return std::min(bounds_.first_delay * (std::int64_t{1} << doubled), bounds_.longest_delay);
}

void proof_limiter::failed(std::string_view user, std::string_view network, time now) {
  const std::scoped_lock guard(mutex_);
  add(networks_, network, now);
  const std::string usual = pair_of(user, network);
  if (usual_.contains(usual))
    add(usual_, usual, now);
  else
    add(users_, user, now);
}

void proof_limiter::proved(std::string_view user, std::string_view network, time now) {
  const std::scoped_lock guard(mutex_);
  const std::string usual = pair_of(user, network);
  add(usual_, usual, now);  // makes room
  usual_.find(usual)->second.count = 0;
}

}  // namespace ima::service
