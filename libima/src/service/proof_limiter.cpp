#include <ima/service/proof_limiter.hpp>

#include <algorithm>
#include <cstdint>

namespace ima::service {

namespace {

// Makes room in a table that is full: what happened longest ago goes.
template <class Table, class When>
void make_room(Table& in, std::size_t most, const When& when) {
  if (in.size() < most) return;
  in.erase(std::ranges::min_element(in, {}, [&](const auto& entry) { return when(entry.second); }));
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

void proof_limiter::add(table& in, std::string_view key, time now) {
  const std::size_t so_far = count(in, key, now);
  if (in.find(key) == in.end())
    make_room(in, bounds_.remembered, [](const failures& f) { return f.at; });
  in.insert_or_assign(std::string(key), failures{so_far + 1, now});
}

bool proof_limiter::is_usual(std::string_view user, std::string_view network) const {
  return usual_.contains({std::string(user), std::string(network)});
}

std::optional<std::chrono::milliseconds> proof_limiter::delay(std::string_view user,
                                                              std::string_view network, time now) {
  const std::scoped_lock guard(mutex_);
  const std::size_t of_network = count(networks_, network, now);
  const std::size_t of_user = is_usual(user, network) ? 0 : count(users_, user, now);
  if (of_network >= bounds_.of_peer || of_user >= bounds_.of_user) return std::nullopt;
  const std::size_t most = std::max(of_network, of_user);
  if (most == 0) return std::chrono::milliseconds(0);
  const auto doubled = std::min<std::size_t>(most - 1, 20);
  return std::min(bounds_.first_delay * (std::int64_t{1} << doubled), bounds_.longest_delay);
}

void proof_limiter::failed(std::string_view user, std::string_view network, time now) {
  const std::scoped_lock guard(mutex_);
  add(networks_, network, now);
  if (!is_usual(user, network)) add(users_, user, now);
}

void proof_limiter::proved(std::string_view user, std::string_view network, time now) {
  const std::scoped_lock guard(mutex_);
  make_room(usual_, bounds_.remembered, [](const time& at) { return at; });
  usual_.insert_or_assign({std::string(user), std::string(network)}, now);
  networks_.erase(std::string(network));
}

}  // namespace ima::service
