#include <ima/service/queue.hpp>

#include <algorithm>
#include <cmath>

namespace ima::service {

using delivery::outcome;

std::chrono::sys_seconds retry_policy::next(std::uint64_t tries, std::chrono::sys_seconds now,
                                            double draw) const {
  const double doubled = static_cast<double>(first.count()) *
                         std::exp2(static_cast<double>(std::min<std::uint64_t>(tries, 60)));
  const double interval = std::min(doubled, static_cast<double>(longest.count()));
  const double spread = interval * (0.875 + draw / 4);
  return now + std::chrono::seconds(std::max<std::int64_t>(1, std::llround(spread)));
}

bool retry_policy::over(std::chrono::sys_seconds created, std::chrono::sys_seconds now) const {
  return now >= created + std::min(lifetime, longest_lifetime);
}

bool queued_host::open() const noexcept {
  return std::any_of(results.begin(), results.end(),
                     [](const auto& r) { return r.what == outcome::defer; });
}

bool queued_host::failed() const noexcept {
  return results.empty() || std::any_of(results.begin(), results.end(), [](const auto& r) {
           return r.what == outcome::fail || r.what == outcome::no_recipient;
         });
}

}  // namespace ima::service
