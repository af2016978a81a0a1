#include "net/service_records.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ima::net {
namespace {

using records = std::vector<service_record>;

// Draws from one priority. Those of weight 0 stand first, so that each has a small chance.
void draw(records group, const pick_number& pick, records& out) {
  std::stable_partition(group.begin(), group.end(),
                        [](const service_record& r) { return r.weight == 0; });
  while (!group.empty()) {
    std::uint32_t sum = 0;
    for (const service_record& r : group) sum += r.weight;
    const std::uint32_t wanted = pick(sum);
    std::uint32_t running = 0;
    auto chosen = std::find_if(group.begin(), group.end(), [&](const service_record& r) {
      running += r.weight;
      return running >= wanted;
    });
    out.push_back(std::move(*chosen));
    group.erase(chosen);
  }
}

}  // namespace

records in_order(records all, const pick_number& pick) {
  std::stable_sort(all.begin(), all.end(), [](const service_record& a, const service_record& b) {
    return a.priority < b.priority;
  });
  records out;
  out.reserve(all.size());
  for (std::size_t at = 0; at < all.size();) {
    records group;
    const std::uint16_t priority = all[at].priority;
    for (; at < all.size() && all[at].priority == priority; ++at)
      group.push_back(std::move(all[at]));
    draw(std::move(group), pick, out);
  }
  return out;
}

bool says_no_service(const records& all) {
  return all.size() == 1 && (all[0].target.empty() || all[0].target == ".");
}

}  // namespace ima::net
