#include "net/queue_lanes.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace ima::net {
namespace {

using std::chrono::sys_seconds;

constexpr std::size_t most_known = 100'000;  // hosts that are remembered to answer
constexpr std::size_t for_one_more = 8;      // messages due that are worth another connection

std::string key_of(const std::string& host, const std::string& sender) {
  return host + ' ' + sender;
}

bool due_before(const std::shared_ptr<lane>& a, const std::shared_ptr<lane>& b) {
  return *a->queue.begin() < *b->queue.begin();
}

// Without going below nothing.
std::size_t less(std::size_t from, std::size_t what) { return from - std::min(from, what); }

// Sorts the first `count` to the front; returns where the others begin.
template <class Iterator, class Before>
Iterator sort_first(Iterator from, Iterator to, std::size_t count, Before before) {
  const Iterator end = from + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(from, end, to, before);
  return end;
}

}  // namespace

bool operator<(const waiting& a, const waiting& b) {
  return std::tie(a.next, a.created, a.id) < std::tie(b.next, b.created, b.id);
}

bool lane::due(sys_seconds now) const {
  return !queue.empty() && queue.begin()->next <= now && not_before <= now;
}

lane_table::lane_table(std::size_t connections, std::size_t per_host)
    : most_(connections), per_host_(per_host) {}

void lane_table::set_most(std::size_t connections, std::size_t per_host) {
  most_ = connections;
  per_host_ = per_host;
}

void lane_table::put(const std::string& host, const std::string& sender, waiting w) {
  const std::string key = key_of(host, sender);
  auto& l = all_[key];
  if (!l) {
    l = std::make_shared<lane>(lane{host, sender});
    if (alive_.contains(key)) l->known = standing::answers;
  }
  l->queue.insert(std::move(w));
}

void lane_table::clear() {
  for (auto& [key, l] : all_) l->queue.clear();
}

void lane_table::hurry(const std::string& host, const std::string& sender) {
  const auto at = all_.find(key_of(host, sender));
  if (at != all_.end()) at->second->not_before = {};
}

// Each kind leaves room for the others: those that answer an eighth, and those that do not a
// sixteenth, which only fresh ones may take, and as these have little time it is soon free again.
std::size_t lane_table::room(standing s) const {
  const std::size_t free = less(most_, used_[0] + used_[1] + used_[2]);
  const std::size_t unproved =
      less(std::max<std::size_t>(1, most_ * 3 / 4), used(standing::fresh) + used(standing::slow));
  switch (s) {
    case standing::answers:
      return less(free, most_ / 8);
    case standing::fresh:
      return std::min(free, unproved);
    case standing::slow:
      return std::min({less(free, most_ / 16), unproved,
                       less(std::max<std::size_t>(1, most_ / 2), used(standing::slow))});
  }
  return 0;
}

// As many in a second as end in one when none of them answers, so that one is free soon at any
// time.
std::size_t lane_table::room_for_fresh(sys_seconds now) const {
  const std::size_t most =
      std::max<std::size_t>(1, most_ * 3 / 4 / static_cast<std::size_t>(first_moment.count()));
  return std::min(room(standing::fresh), now == second_ ? less(most, in_second_) : most);
}

// How many connections a host should have.
std::size_t lane_table::worth(const lane& l, sys_seconds now) const {
  if (l.known != standing::answers) return 1;
  const std::size_t enough = for_one_more * per_host_;
  std::size_t count = 0;
  for (auto w = l.queue.begin(); w != l.queue.end() && w->next <= now && count < enough; ++w)
    ++count;
  return std::min(per_host_, 1 + count / for_one_more);
}

// One lane of each host, the one that is due the longest.
lane_table::lanes lane_table::ready(standing s, sys_seconds now) const {
  lanes found;
  if (room(s) == 0) return found;
  for (const auto& [key, l] : all_) {
    if (l->known != s || !l->due(now) || !may_have_another(*l, now)) continue;
    if (found.empty() || found.back()->host != l->host)
      found.push_back(l);
    else if (due_before(l, found.back()))
      found.back() = l;
  }
  return found;
}

bool lane_table::host_is_full(const std::string& host) const {
  const auto at = running_.find(host);
  return at != running_.end() && at->second >= per_host_;
}

bool lane_table::may_have_another(const lane& l, sys_seconds now) const {
  return l.running < worth(l, now) && !host_is_full(l.host);
}

bool lane_table::keeps_another_waiting(const lane& l, sys_seconds now) const {
  if (!host_is_full(l.host)) return false;
  for (auto at = all_.lower_bound(key_of(l.host, "")); at != all_.end(); ++at) {
    if (at->second->host != l.host) return false;
    if (at->second->running == 0 && at->second->due(now)) return true;
  }
  return false;
}

void lane_table::take(const std::shared_ptr<lane>& l, sys_seconds now,
                      std::vector<connection_slot>& out) {
  ++l->running;
  ++running_[l->host];
  ++used(l->known);
  if (l->known == standing::fresh) {
    if (std::exchange(second_, now) != now) in_second_ = 0;
    ++in_second_;
  }
  out.push_back({l, l->known, now});
}

// It does not count any more as what it was taken for.
void lane_table::no_more(const connection_slot& slot) {
  --used(slot.as);
  if (slot.as == standing::fresh && slot.since == second_ && in_second_ > 0) --in_second_;
}

std::vector<connection_slot> lane_table::take_slots(sys_seconds now) {
  std::erase_if(all_, [&](const auto& l) {
    return l.second->queue.empty() && l.second->running == 0 && l.second->not_before <= now;
  });
  std::vector<connection_slot> out;
  take_answering(now, out);
  take_fresh(now, out);
  take_slow(now, out);
  return out;
}

void lane_table::take_answering(sys_seconds now, std::vector<connection_slot>& out) {
  for (lanes l = ready(standing::answers, now); !l.empty(); l = ready(standing::answers, now)) {
    std::sort(l.begin(), l.end(), due_before);
    for (const auto& one : l)
      while (may_have_another(*one, now) && room(standing::answers) > 0) take(one, now, out);
  }
}

// The longest due and the latest get as many each, so that a new host need not wait until a crowd
// before it has been looked at, nor the crowd for those that come after it.
void lane_table::take_fresh(sys_seconds now, std::vector<connection_slot>& out) {
  lanes l = ready(standing::fresh, now);
  const std::size_t count = std::min(l.size(), room_for_fresh(now));
  const std::size_t latest = (count + (latest_has_turn_ ? 1 : 0)) / 2;
  if (count % 2 == 1) latest_has_turn_ = !latest_has_turn_;
  const auto rest = sort_first(l.begin(), l.end(), count - latest, due_before);
  sort_first(rest, l.end(), latest, [](const auto& a, const auto& b) { return due_before(b, a); });
  for (std::size_t i = 0; i < count; ++i) take(l[i], now, out);
}

void lane_table::take_slow(sys_seconds now, std::vector<connection_slot>& out) {
  lanes l = ready(standing::slow, now);
  const std::size_t count = std::min(l.size(), room(standing::slow));
  sort_first(l.begin(), l.end(), count, due_before);
  for (std::size_t i = 0; i < count; ++i) take(l[i], now, out);
}

void lane_table::give_back(const connection_slot& slot) {
  --slot.to->running;
  if (const auto at = running_.find(slot.to->host); --at->second == 0) running_.erase(at);
  no_more(slot);
}

void lane_table::answered(connection_slot& slot) {
  if (alive_.size() > most_known) alive_.clear();
  alive_.insert(key_of(slot.to->host, slot.to->sender));
  slot.to->known = standing::answers;
  slot.to->failures = 0;
  no_more(slot);
  slot.as = standing::answers;
  ++used(standing::answers);
}

void lane_table::failed(lane& l, sys_seconds not_before) {
  alive_.erase(key_of(l.host, l.sender));
  l.known = standing::slow;
  l.not_before = not_before;
  ++l.failures;
}

void lane_table::took_too_long(lane& l) { l.known = standing::slow; }

}  // namespace ima::net
