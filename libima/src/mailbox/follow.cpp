#include "mailbox/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <thread>

namespace ima::mailbox {

// Applies journal records to the index, and remembers the messages of the last batch of those that
// bring or remove files: only that many can be unfinished, as whoever appends has followed before,
// and an append holds no more.
class mailbox::state::follower {
 public:
  explicit follower(state& s) : state_(s) {}

  result<void> take(const journal_entry& e) {
    if (const auto* m = std::get_if<message_record>(&e.what)) {
      IMA_TRY(known, state_.cache->message(m->id));
      if (!known) remember(m->id);
    }
    if (const auto* d = std::get_if<removal_record>(&e.what)) remember(d->id);
    return state_.cache->apply(e);
  }

  // What counts is what was said of a message last: an index that is made again meets old removals
  // of messages that came a second time.
  result<void> finish() {
    std::set<std::string> changed;
    for (const auto& id : std::set<std::string>(ids_.begin(), ids_.end())) {
      IMA_TRY(live, state_.cache->message(id));
      if (live)
        IMA_CHECK(take_in(id, changed));
      else
        IMA_CHECK(remove(id));
    }
    for (const auto& shard : changed) IMA_CHECK(state_.files.sync_directory(shard));
    return {};
  }

 private:
  void remember(const std::string& id) {
    ids_.push_back(id);
    if (ids_.size() > batch) ids_.pop_front();
  }

  // Another host may have been faster, and this one's view of a directory late: what is not there
  // any more is done.
  result<void> take_in(const std::string& id, std::set<std::string>& changed) {
    IMA_TRY(waiting, layout::find_object(state_.files, state_.tree.incoming(), id));
    if (!waiting) return {};
    const std::string shard = state_.tree.shard(id);
    IMA_TRY(there, layout::find_durable(state_.files, shard, id));
    if (there) return layout::remove_object(state_.files, state_.tree, *waiting);
    auto moved = state_.files.rename(waiting->path,
                                     shard + "/" + layout::object_name(id, waiting->directory));
    if (!moved && moved.error().rule != "file-missing") return moved;
    changed.insert(shard);
    return {};
  }

  // Never from new/: what waits there may have been delivered after the removal.
  result<void> remove(const std::string& id) {
    IMA_TRY(there, layout::find_object(state_.files, state_.tree.shard(id), id));
    return there ? layout::remove_object(state_.files, state_.tree, *there) : result<void>();
  }

  state& state_;
  std::deque<std::string> ids_;
};

result<std::string> mailbox::state::keep_torn_tail(std::uint64_t end) {
  const std::string name = "journal.torn-" + layout::random_hex(8);
  const std::string path = tree.root + "/" + name;
  IMA_TRY(kept, files.create(path));
  if (auto copied = log->copy_tail(end, *kept); !copied) {
    (void)files.unlink(path);
    return copied.error();
  }
  if (auto durable = files.sync_directory(tree.root); !durable) {
    (void)files.unlink(path);
    return durable.error();
  }
  return name;
}

// What a write began that never came to its end: nobody was told that it is there. Yet a disk may
// have changed what was written whole, so its octets are kept beside.
result<void> mailbox::state::cut_torn_tail(std::uint64_t end, std::uint64_t size) {
  IMA_TRY(kept, keep_torn_tail(end));
  if (auto cut = log->cut(end); !cut) {
    const auto now = log->size();  // each try keeps it again, unless it is off by now
    if (now && *now == size) (void)files.unlink(tree.root + "/" + kept);
    return cut;
  }
  torn += size - end;
  tell("journal-torn", {{"octets", std::to_string(size - end)}, {"kept", kept}});
  return {};
}

// Where there is no room, or no right, it stays, and nothing comes behind it.
result<void> mailbox::state::cut_or_leave(std::uint64_t end, std::uint64_t size) {
  auto cut = cut_torn_tail(end, size);
  if (cut || !layout::is_put_off(cut.error())) return cut;
  tail_stays = std::move(cut).error();
  return {};
}

// Lines of another process are synced before they are acted on: its own sync may never have come,
// and what was told to a client must not go with the power. Where nothing can be changed all of
// this is left to whoever can.
result<void> mailbox::state::follow_once(bool own) {
  tail_stays.reset();
  IMA_TRY(size, log->size());
  IMA_TRY(was, cache->where());
  // An index is never ahead of its journal, so what it has seen there was whole.
  const std::uint64_t seen =
      was.generation == log->generation() && was.place.offset <= size ? was.place.offset : 0;
  bool fresh = was.generation != log->generation() || was.place.offset > size;
  if (!fresh) {
    IMA_TRY(continues, log->continues(was.place));
    fresh = !continues;
  }
  if (!fresh && was.place.offset == size) return {};
  if (!own) IMA_CHECK(layout::unless_read_only(log->sync()));
  IMA_CHECK(cache->begin());
  if (fresh) {
    was = {log->generation(), log->first()};
    IMA_CHECK(cache->clear());
  }
  follower records(*this);
  IMA_TRY(end, log->read(was.place, [&](const journal_entry& e) { return records.take(e); }));
  if (end.offset < seen) return journal_damaged(end.offset);
  IMA_CHECK(layout::unless_read_only(records.finish()));
  if (end.offset < size) IMA_CHECK(cut_or_leave(end.offset, size));
  if (!fresh && end.offset == was.place.offset) {  // on a full disk nothing can be written
    cache->roll_back();
    return {};
  }
  return cache->move_to({log->generation(), end});
}

// Its directory may have been deleted with it. Under the lock, so that no two processes of this
// host remove and make it at once.
result<index> mailbox::state::open_index_in_place() {
  auto opened = index::open(index_path);
  if (opened || opened.error().rule != "index") return opened;
  layout::make_above(files, index_path);
  index::remove(index_path);
  return index::open(index_path);
}

// Where none can be at its place, one that goes with this object does, and serves as well.
result<void> mailbox::state::open_index() {
  cache.reset();
  indexed_to.reset();
  auto opened = open_index_in_place();
  makeshift = !opened && opened.error().rule == "index";
  if (makeshift) {
    tell("index-temporary", {{"index", index_path}, {"text", opened.error().text}});
    opened = index::open_temporary();
  }
  if (!opened) return opened.error();
  cache.emplace(std::move(*opened));
  return {};
}

// A temporary index stays until there is one at its place.
result<void> mailbox::state::find_index() {
  if (!cache || !cache->in_place()) return open_index();
  if (!makeshift) return {};
  auto opened = open_index_in_place();
  if (!opened) return {};
  makeshift = false;
  indexed_to.reset();
  cache.emplace(std::move(*opened));
  return {};
}

void mailbox::state::tell(std::string_view what,
                          std::vector<std::pair<std::string_view, std::string>> more) const {
  if (events == nullptr) return;
  more.insert(more.begin(), {"mailbox", tree.root});
  events->write({log_level::warning, what, std::move(more)});
}

result<void> mailbox::state::rebuild_index() {
  cache.reset();
  index::remove(index_path);
  return open_index();
}

result<void> mailbox::state::renew() {
  IMA_CHECK(take_lock());
  const unlock_at_end guard{lock_file};
  if (index::is_at(index_path)) return renew_beside();
  IMA_CHECK(rebuild_index());
  return follow();
}

// The old index may know what a damaged journal no longer says.
result<void> mailbox::state::renew_beside() {
  const std::string fresh = index_path + ".new";
  index::remove(fresh);
  IMA_TRY(begun, index::open(fresh));
  cache.emplace(std::move(begun));
  auto made = follow_once(false);
  if (!made) cache->roll_back();
  cache.reset();  // all of it is in one file then
  if (made) made = index::replace(index_path, fresh);
  if (made) return open_index();
  index::remove(fresh);
  return made;
}

result<void> mailbox::state::verify_journal() {
  std::optional<journal> opened;
  journal_place until;
  {
    const std::lock_guard guard(mutex);
    IMA_CHECK(locked([&]() -> result<void> {
      IMA_TRY(now, cache->where());
      IMA_TRY(own, journal::open(files, tree.journal()));
      until = now.place;
      opened.emplace(std::move(own));
      return {};
    }));
  }
  return opened->verify(until);  // without the lock, as it takes long
}

result<bool> mailbox::state::lock_is_ours() {
  IMA_TRY(ours, lock_file->identity());
  IMA_TRY(now, files.status(tree.lock()));
  return now && now->identity == ours;
}

// For a while, as whoever waits keeps a server's thread: others than this mailbox's user need it.
// Who waited in vain leaves the next one no hope, so that only the first has to.
result<void> mailbox::state::wait_for_lock() {
  // Short, as it is free for moments only where another post office has much to do.
  constexpr auto turn = std::chrono::microseconds(200);
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto end = kept_out ? now() : now() + patience;
  while (true) {
    IMA_TRY(taken, lock_file->try_lock());
    kept_out = !taken && now() >= end;
    if (taken) return {};
    if (kept_out) break;
    std::this_thread::sleep_for(turn);
  }
  return error{fault::temporary, "mailbox-busy", tree.root, "another program keeps its lock"};
}

// A lock file or a journal that was put in another's place (by a repair, or a backup that was
// restored) is the one that counts.
result<void> mailbox::state::take_lock() {
  while (true) {
    if (!lock_file) {
      IMA_TRY(found, layout::open_or_read(files, tree.lock()));
      lock_file = std::move(found.opened);
    }
    IMA_CHECK(wait_for_lock());
    auto ours = lock_is_ours();
    if (ours && *ours) break;
    lock_file.reset();
    if (!ours) return ours.error();
  }
  auto opened = open_journal();
  if (!opened) lock_file.reset();
  return opened;
}

result<void> mailbox::state::open_journal() {
  IMA_TRY(now, files.status(tree.journal()));
  if (log && now && now->identity == log->identity() && !log->read_only()) return {};
  log.reset();
  indexed_to.reset();
  IMA_TRY(opened, journal::open(files, tree.journal()));
  log.emplace(std::move(opened));
  return {};
}

result<void> mailbox::state::follow(bool own) {
  IMA_CHECK(find_index());
  auto followed = follow_once(own);
  if (followed) return {};
  cache->roll_back();
  if (followed.error().rule != "index") return followed;
  IMA_CHECK(rebuild_index());
  followed = follow_once(own);
  if (!followed) cache->roll_back();
  return followed;
}

result<void> mailbox::state::follow() { return follow(false); }

// An index that was seen at the end of a journal is there as long as both are the same and the
// journal does not grow.
bool mailbox::state::is_current(const file_status& journal_now) {
  if (!log || !cache || journal_now.identity != log->identity() || !cache->in_place()) return false;
  if (indexed_to == journal_now.size) return true;
  const auto was = cache->where();
  const bool current =
      was && was->generation == log->generation() && was->place.offset == journal_now.size;
  if (current) indexed_to = journal_now.size;
  return current;
}

result<void> mailbox::state::refresh() {
  IMA_TRY(now, files.status(tree.journal()));
  if (now && is_current(*now)) return {};
  return locked([] { return result<void>(); });
}

result<void> mailbox::state::append(std::span<const journal_record> records) {
  while (!records.empty()) {
    const auto some = records.first(std::min(records.size(), batch));
    records = records.subspan(some.size());
    IMA_CHECK(append_together(some));
  }
  return {};
}

result<void> mailbox::state::append_together(std::span<const journal_record> records) {
  IMA_TRY(was, cache->where());
  IMA_TRY(size, log->size());
  if (size != was.place.offset)
    return tail_stays.value_or(
        error{fault::temporary, "storage", tree.journal(), "it grew in spite of the lock"});
  commit_record holds = was.place.holds;
  std::map<std::string, bool> known;  // what this append itself says, by id
  std::string lines;
  std::uint64_t seq = was.place.seq;
  for (const auto& what : records) {
    lines += journal_line(++seq, what);
    IMA_CHECK(count(what, known, holds));
  }
  holds.lines = records.size();
  lines += journal_line(++seq, holds);
  if (auto appended = log->append(lines); !appended) {
    // Half an append must not stay for the next one to stand behind. Where cutting fails as well,
    // the next follow() cuts it, or finds it whole, which was not acknowledged but does no harm.
    (void)log->cut(was.place.offset);
    return appended;
  }
  return follow(true);
}

// Adds what a record changes to what the mailbox holds.
result<void> mailbox::state::count(const journal_record& what, std::map<std::string, bool>& known,
                                   commit_record& holds) {
  const auto* m = std::get_if<message_record>(&what);
  const auto* d = std::get_if<removal_record>(&what);
  if (m == nullptr && d == nullptr) return {};
  const std::string& id = m != nullptr ? m->id : d->id;
  IMA_TRY(indexed, cache->message(id));
  const bool there = known.emplace(id, indexed.has_value()).first->second;
  known[id] = m != nullptr;
  if (m != nullptr && !there) {
    ++holds.messages;
    holds.octets += m->size;
  }
  if (d != nullptr && there && indexed) {
    --holds.messages;
    holds.octets -= indexed->size;
  }
  return {};
}

}  // namespace ima::mailbox
