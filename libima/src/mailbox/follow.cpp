#include "mailbox/store.hpp"

#include <fmt/format.h>

#include <deque>
#include <set>

namespace ima::mailbox {

// Applies journal records to the index, and remembers the last batch of those that move or remove
// files: only that many can be unfinished, as an append holds no more.
class mailbox::state::follower {
 public:
  explicit follower(state& s) : state_(s) {}

  result<void> take(const journal_entry& e) {
    if (const auto* m = std::get_if<message_record>(&e.what)) {
      IMA_TRY(known, state_.cache->message(m->id));
      if (!known) remember(m->id, true);
    }
    if (const auto* d = std::get_if<removal_record>(&e.what)) remember(d->id, false);
    last_ = e.seq;
    return state_.cache->apply(e);
  }

  result<void> finish() {
    std::set<std::string> changed;
    for (const auto& [id, present] : effects_)
      if (present) {
        IMA_CHECK(take_in(id, changed));
      } else {
        IMA_CHECK(remove_from(state_.files, state_.tree.shard(id), id));
        IMA_CHECK(remove_from(state_.files, state_.tree.incoming(), id));
      }
    for (const auto& shard : changed) IMA_CHECK(state_.files.sync_directory(shard));
    return {};
  }

  std::uint64_t last() const noexcept { return last_; }

 private:
  void remember(const std::string& id, bool present) {
    effects_.emplace_back(id, present);
    if (effects_.size() > batch) effects_.pop_front();
  }

  result<void> take_in(const std::string& id, std::set<std::string>& changed) {
    IMA_TRY(waiting, layout::find_object(state_.files, state_.tree.incoming(), id));
    if (!waiting) return {};
    const std::string shard = state_.tree.shard(id);
    IMA_TRY(there, layout::find_object(state_.files, shard, id));
    if (there) return layout::remove_object(state_.files, *waiting);
    changed.insert(shard);
    return state_.files.rename(waiting->path,
                               shard + "/" + layout::object_name(id, waiting->directory));
  }

  state& state_;
  std::deque<std::pair<std::string, bool>> effects_;
  std::uint64_t last_ = 0;
};

result<void> mailbox::state::follow_once() {
  IMA_TRY(size, log.size());
  IMA_TRY(was, cache->where());
  const bool fresh = was.generation != log.generation() || was.offset > size;
  if (!fresh && was.offset == size) return {};
  IMA_CHECK(cache->begin());
  if (fresh) {
    was = {log.generation(), log.first_offset(), 0};
    IMA_CHECK(cache->clear());
  }
  follower records(*this);
  IMA_TRY(end, log.read(was.offset, [&](const journal_entry& e) { return records.take(e); }));
  IMA_CHECK(records.finish());
  if (end < size) {
    IMA_CHECK(log.cut(end));
    torn += size - end;
  }
  return cache->move_to({log.generation(), end, records.last() > 0 ? records.last() : was.seq});
}

result<void> mailbox::state::rebuild_index() {
  cache.reset();
  index::remove(index_path);
  IMA_TRY(opened, index::open(index_path));
  cache.emplace(std::move(opened));
  return {};
}

result<void> mailbox::state::follow() {
  auto followed = follow_once();
  if (followed) return {};
  cache->roll_back();
  if (followed.error().rule != "index") return followed;
  IMA_CHECK(rebuild_index());
  followed = follow_once();
  if (!followed) cache->roll_back();
  return followed;
}

result<void> mailbox::state::refresh() {
  IMA_TRY(size, log.size());
  const auto was = cache->where();
  if (was && was->generation == log.generation() && was->offset == size) return {};
  return locked([] { return result<void>(); });
}

result<void> mailbox::state::append(const std::vector<journal_record>& records) {
  if (records.empty()) return {};
  IMA_TRY(was, cache->where());
  std::string lines;
  for (const auto& what : records) lines += journal_line(++was.seq, what);
  if (auto appended = log.append(lines); !appended) {
    // Half a batch must not stay for the next one to stand behind. Where cutting fails as well, the
    // next follow() finds whole records, which were not acknowledged but do no harm.
    (void)log.cut(was.offset);
    return appended;
  }
  return follow();
}

}  // namespace ima::mailbox
