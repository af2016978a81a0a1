#include "ledger.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace conformance {

std::size_t flag_history::begin(bool value, moment at) {
  writes_.push_back({value, at, 0, true});
  return writes_.size() - 1;
}

void flag_history::end(std::size_t which, moment at, bool done) {
  writes_[which].ended = at;
  writes_[which].done = done;
}

bool flag_history::overwritten(const write& w) const {
  return std::ranges::any_of(
      writes_, [&](const write& other) { return other.done && other.begun > w.ended; });
}

flag_history::values flag_history::last() const {
  values found;
  for (const write& w : writes_)
    if (w.done && !overwritten(w)) found.insert(w.value);
  return found.empty() ? before_ : found;
}

flag_history::values flag_history::ever() const {
  values found = before_;
  for (const write& w : writes_)
    if (w.done) found.insert(w.value);
  return found;
}

void flag_history::settle(bool value) {
  before_ = {value};
  writes_.clear();
}

void ledger::complain(std::string what) {
  const std::scoped_lock guard(mutex_);
  complaints_.push_back(std::move(what));
}

// Others may have seen the message, and moved it, before its maker was answered.
void ledger::begin(const std::string& id, const std::string& folder, const std::string& body) {
  account& known = messages_[id];
  if (!known.body.empty()) complaints_.push_back("the id " + id + " was given twice");
  known.body = body;
  ++known.arrivals[folder];
}

void ledger::made(const std::string& id, const std::string& folder,
                  const std::set<std::string>& with, const std::string& body) {
  const std::scoped_lock guard(mutex_);
  begin(id, folder, body);
  for (const std::string_view flag : flags)
    messages_[id].flags[std::string(flag)].begin_with({with.contains(std::string(flag))});
}

void ledger::copied(const std::string& id, const std::string& folder, const std::string& original) {
  const std::scoped_lock guard(mutex_);
  account& from = messages_[original];
  begin(id, folder, from.body);
  for (const std::string_view flag : flags)
    messages_[id].flags[std::string(flag)].begin_with(from.flags[std::string(flag)].ever());
}

void ledger::moved(const std::string& id, const std::string& from, const std::string& to) {
  const std::scoped_lock guard(mutex_);
  account& known = messages_[id];
  --known.arrivals[from];
  ++known.arrivals[to];
}

void ledger::removed(const std::string& id, const std::string& from) {
  const std::scoped_lock guard(mutex_);
  --messages_[id].arrivals[from];
}

std::size_t ledger::flag_sent(const std::string& id, std::string_view flag, bool set) {
  const std::scoped_lock guard(mutex_);
  return messages_[id].flags[std::string(flag)].begin(set, ++now_);
}

void ledger::flag_answered(const std::string& id, std::string_view flag, std::size_t change,
                           bool done) {
  const std::scoped_lock guard(mutex_);
  messages_[id].flags[std::string(flag)].end(change, ++now_, done);
}

std::string ledger::body_of(const std::string& id) {
  const std::scoped_lock guard(mutex_);
  const auto found = messages_.find(id);
  return found == messages_.end() ? std::string() : found->second.body;
}

// Whatever the order of the moves was, they lead to the one folder that was entered once more often
// than it was left; a deletion leads nowhere.
void ledger::compare_place(const std::string& id, account& known, const seen_message* there) {
  if (there) (void)known.arrivals[there->folder];
  for (const auto& [folder, count] : known.arrivals) {
    if (count == (there && there->folder == folder ? 1 : 0)) continue;
    complaints_.push_back(fmt::format(
        "{} is in {}, but by what was acknowledged it came to {} {} times more than it left", id,
        there ? there->folder : "no folder", folder, count));
  }
}

void ledger::compare_flags(const std::string& id, account& known, const seen_message& there) {
  for (auto& [flag, history] : known.flags) {
    const bool set = there.flags.contains(flag);
    if (!history.last().contains(set))
      complaints_.push_back(fmt::format("{} {} {}, against what was acknowledged last", id,
                                        set ? "has" : "has not", flag));
    history.settle(set);
  }
}

void ledger::compare(const messages& all) {
  const std::scoped_lock guard(mutex_);
  for (const auto& [id, message] : all)
    if (!messages_.contains(id)) complaints_.push_back(id + " was never made");
  for (auto& [id, known] : messages_) {
    const auto found = all.find(id);
    const seen_message* there = found == all.end() ? nullptr : &found->second;
    compare_place(id, known, there);
    if (there) compare_flags(id, known, *there);
  }
}

}  // namespace conformance
