#include "mailbox/record.hpp"
#include "mailbox/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

// What a user changes: flags, folders of messages, copies, deletions (docs/mailbox.md section 5).

namespace ima::mailbox {

namespace {

message_record record_of(const entry& e, std::uint64_t folder) {
  return {e.id, folder, e.size, e.arrived.time_since_epoch().count(), join_flags(e.flags)};
}

std::vector<std::string> changed_flags(std::vector<std::string> flags, const flag_change& what) {
  std::erase_if(flags, [&](const std::string& flag) {
    return std::ranges::find(what.remove, flag) != what.remove.end();
  });
  for (const auto& flag : what.add)
    if (std::ranges::find(flags, flag) == flags.end()) flags.push_back(flag);
  return flags;
}

// A new tombstone each time, as its age counts from the deletion.
result<void> bury(file_system& files, const layout::tree& tree, std::span<const std::string> ids) {
  std::set<std::string> changed;
  for (const auto& id : ids) {
    if (layout::is_apart(id)) continue;
    auto cleared = files.unlink(tree.tombstone(id));
    if (!cleared && cleared.error().rule != "file-missing") return cleared;
    if (auto made = files.create(tree.tombstone(id)); !made) return made.error();
    changed.insert(tree.tombstone_shard(id));
  }
  for (const auto& directory : changed) IMA_CHECK(files.sync_directory(directory));
  return {};
}

// Gives a message's files other names, and puts these on disk. A directory is made in tmp/, so that
// nothing of it shows before all is there.
result<void> link_object(file_system& files, const layout::tree& tree, const layout::object& from,
                         const std::string& to) {
  if (!from.directory) return layout::link_or_copy(files, from.path, to);
  const layout::object built{tree.unfinished(true), true};
  const auto build = [&]() -> result<void> {
    IMA_CHECK(files.make_directory(built.path));
    IMA_CHECK(files.list(from.path, [&](const std::string& name) {
      return layout::link_or_copy(files, from.path + "/" + name, built.path + "/" + name);
    }));
    IMA_CHECK(files.sync_directory(built.path));
    return files.rename(built.path, to);
  };
  auto done = build();
  if (!done) (void)layout::remove_leftover(files, built);  // or a leftover
  return done;
}

}  // namespace

// All that a request names is looked at before the first append, so that one that is refused has
// changed nothing.
result<std::vector<outcome>> mailbox::set_flags(std::string_view folder,
                                                std::span<const std::string> ids,
                                                const flag_change& what) {
  state& s = *state_;
  IMA_CHECK(check_flags(what.add));
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<std::vector<outcome>> {
    IMA_TRY(in, s.folder(folder));
    std::vector<outcome> outcomes;
    std::vector<journal_record> records;
    for (const auto& id : ids) {
      IMA_TRY(found, s.cache->find(in.number, id));
      const bool late = found && what.only_if_seq && found->seq > *what.only_if_seq;
      outcomes.push_back(!found ? outcome::gone : late ? outcome::changed : outcome::done);
      if (outcomes.back() != outcome::done) continue;
      const std::string was = join_flags(found->flags);
      found->flags = changed_flags(std::move(found->flags), what);
      IMA_CHECK(check_flags(found->flags));
      auto changed = record_of(*found, in.number);
      if (changed.flags != was) records.emplace_back(std::move(changed));
    }
    IMA_CHECK(s.append(records));
    return outcomes;
  });
}

result<std::vector<outcome>> mailbox::move(std::string_view folder, std::string_view target,
                                           std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<std::vector<outcome>> {
    IMA_TRY(from, s.folder(folder));
    IMA_TRY(to, s.folder(target));
    std::vector<outcome> outcomes;
    std::vector<journal_record> records;
    std::unordered_set<std::string> named;
    for (const auto& id : ids) {
      IMA_TRY(found, s.cache->find(from.number, id));
      const bool done = found && named.insert(id).second;
      outcomes.push_back(done ? outcome::done : outcome::gone);
      if (done && from.number != to.number) records.emplace_back(record_of(*found, to.number));
    }
    IMA_CHECK(s.append(records));
    return outcomes;
  });
}

// The tombstone is there before the message goes: a second delivery at any instant finds one of
// the two.
result<std::vector<outcome>> mailbox::remove(std::string_view folder,
                                             std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<std::vector<outcome>> {
    IMA_TRY(from, s.folder(folder));
    std::vector<outcome> outcomes;
    std::vector<journal_record> records;
    std::vector<std::string> going;
    std::unordered_set<std::string> named;
    for (const auto& id : ids) {
      IMA_TRY(found, s.cache->find(from.number, id));
      const bool done = found && named.insert(id).second;
      outcomes.push_back(done ? outcome::done : outcome::gone);
      if (!done) continue;
      going.push_back(id);
      records.emplace_back(removal_record{id});
    }
    IMA_CHECK(bury(s.files, s.tree, going));
    IMA_CHECK(s.append(records));
    return outcomes;
  });
}

// With the lock held and the journal followed nothing is left of the messages, so that recovery
// finds no stray for want of a tombstone.
result<void> mailbox::forget_deletion(std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    std::set<std::string> changed;
    for (const auto& id : ids) {
      if (!layout::is_id(id) || layout::is_apart(id)) continue;
      auto gone = s.files.unlink(s.tree.tombstone(id));
      if (!gone && gone.error().rule != "file-missing") return gone;
      if (gone) changed.insert(s.tree.tombstone_shard(id));
    }
    for (const auto& directory : changed) IMA_CHECK(s.files.sync_directory(directory));
    return {};
  });
}

// Copies what is there batch by batch, and takes all of it back where something fails.
class mailbox::state::copier {
 public:
  copier(state& s, std::uint64_t target) : state_(s), target_(target) {}

  /// The copies' ids, in order; empty where an original's is.
  result<std::vector<std::string>> run(std::span<entry> originals) {
    while (!originals.empty()) {
      const auto piece = originals.first(std::min(originals.size(), batch));
      originals = originals.subspan(piece.size());
      auto done = copy(piece);
      if (done) continue;
      (void)state_.append(removals_);  // else the client finds copies that he asked for
      return std::move(done).error();
    }
    return std::move(copies_);
  }

 private:
  // The files come before the record: a crash between leaves a stray, never a record without files.
  result<void> copy(std::span<entry> originals) {
    std::vector<journal_record> records;
    auto linked = link(originals, records);
    if (!linked) unlink(records);
    IMA_CHECK(std::move(linked));
    IMA_CHECK(state_.append(records));
    for (const auto& what : records)
      removals_.emplace_back(removal_record{std::get<message_record>(what).id});
    return {};
  }

  result<void> link(std::span<entry> originals, std::vector<journal_record>& records) {
    std::set<std::string> changed;
    for (entry& original : originals) {
      copies_.emplace_back();
      if (original.id.empty()) continue;
      IMA_TRY(object, state_.object_of(original.id));
      if (!object) continue;
      original.id = copies_.back() =
          fmt::format("{}-{}", original.id.substr(0, 64), layout::random_hex(16));
      const std::string shard = state_.tree.shard(original.id);
      IMA_CHECK(link_object(state_.files, state_.tree, *object,
                            shard + "/" + layout::object_name(original.id, object->directory)));
      records.emplace_back(record_of(original, target_));
      changed.insert(shard);
    }
    for (const auto& shard : changed) IMA_CHECK(state_.files.sync_directory(shard));
    return {};
  }

  // What stays comes back as a stray.
  void unlink(const std::vector<journal_record>& records) {
    for (const auto& what : records) {
      const std::string& id = std::get<message_record>(what).id;
      const auto object = layout::find_object(state_.files, state_.tree.shard(id), id);
      if (object && *object) (void)layout::remove_object(state_.files, state_.tree, **object);
    }
  }

  state& state_;
  std::uint64_t target_;
  std::vector<std::string> copies_;
  std::vector<journal_record> removals_;
};

result<std::vector<std::string>> mailbox::copy(std::string_view folder, std::string_view target,
                                               std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<std::vector<std::string>> {
    IMA_TRY(from, s.folder(folder));
    IMA_TRY(to, s.folder(target));
    std::vector<entry> originals;
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    for (const auto& id : ids) {
      IMA_TRY(found, s.cache->find(from.number, id));
      messages += found ? 1 : 0;
      octets += found ? found->size : 0;
      originals.push_back(found ? std::move(*found) : entry());
    }
    if (messages > 0) IMA_CHECK(s.check_room(messages, octets));
    return state::copier(s, to.number).run(originals);
  });
}

}  // namespace ima::mailbox
