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
  flags.insert(flags.end(), what.add.begin(), what.add.end());
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

// Calls `each(piece, outcomes)` for one batch of ids after the other.
template <class Outcome, class Each>
result<std::vector<Outcome>> in_batches(std::span<const std::string> ids, const Each& each) {
  std::vector<Outcome> outcomes;
  while (!ids.empty()) {
    const auto piece = ids.first(std::min(ids.size(), batch));
    ids = ids.subspan(piece.size());
    IMA_CHECK(each(piece, outcomes));
  }
  return outcomes;
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

result<std::vector<outcome>> mailbox::set_flags(std::string_view folder,
                                                std::span<const std::string> ids,
                                                const flag_change& what) {
  state& s = *state_;
  IMA_CHECK(check_flags(what.add));
  const std::lock_guard guard(s.mutex);
  return in_batches<outcome>(ids, [&](auto piece, auto& outcomes) {
    return s.locked([&]() -> result<void> {
      IMA_TRY(in, s.folder(folder));
      std::vector<journal_record> records;
      for (const auto& id : piece) {
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
      return s.append(records);
    });
  });
}

result<std::vector<outcome>> mailbox::move(std::string_view folder, std::string_view target,
                                           std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return in_batches<outcome>(ids, [&](auto piece, auto& outcomes) {
    return s.locked([&]() -> result<void> {
      IMA_TRY(from, s.folder(folder));
      IMA_TRY(to, s.folder(target));
      std::vector<journal_record> records;
      std::unordered_set<std::string> named;
      for (const auto& id : piece) {
        IMA_TRY(found, s.cache->find(from.number, id));
        const bool done = found && named.insert(id).second;
        outcomes.push_back(done ? outcome::done : outcome::gone);
        if (done && from.number != to.number) records.emplace_back(record_of(*found, to.number));
      }
      return s.append(records);
    });
  });
}

// The tombstone is there before the message goes: a second delivery at any instant finds one of
// the two.
result<std::vector<outcome>> mailbox::remove(std::string_view folder,
                                             std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return in_batches<outcome>(ids, [&](auto piece, auto& outcomes) {
    return s.locked([&]() -> result<void> {
      IMA_TRY(from, s.folder(folder));
      std::vector<journal_record> records;
      std::vector<std::string> going;
      std::unordered_set<std::string> named;
      for (const auto& id : piece) {
        IMA_TRY(found, s.cache->find(from.number, id));
        const bool done = found && named.insert(id).second;
        outcomes.push_back(done ? outcome::done : outcome::gone);
        if (!done) continue;
        going.push_back(id);
        records.emplace_back(removal_record{id});
      }
      IMA_CHECK(bury(s.files, s.tree, going));
      return s.append(records);
    });
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

// The files come before the record: a crash between leaves a stray, never a record without files.
result<std::vector<std::string>> mailbox::copy(std::string_view folder, std::string_view target,
                                               std::span<const std::string> ids) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  const auto link_copy = [&](const std::string& id) -> result<std::string> {
    IMA_TRY(object, s.object_of(id));
    if (!object) return std::string();
    const std::string named = fmt::format("{}-{}", id.substr(0, 64), layout::random_hex(16));
    const std::string shard = s.tree.shard(named);
    IMA_CHECK(link_object(s.files, s.tree, *object,
                          shard + "/" + layout::object_name(named, object->directory)));
    IMA_CHECK(s.files.sync_directory(shard));
    return named;
  };
  // What was copied before something failed; else it comes back as a stray.
  const auto unlink_copies = [&](const std::vector<journal_record>& records) {
    for (const auto& what : records) {
      const std::string& id = std::get<message_record>(what).id;
      const auto object = layout::find_object(s.files, s.tree.shard(id), id);
      if (object && *object) (void)layout::remove_object(s.files, s.tree, **object);
    }
  };
  return in_batches<std::string>(ids, [&](auto piece, auto& copies) {
    return s.locked([&]() -> result<void> {
      IMA_TRY(from, s.folder(folder));
      IMA_TRY(to, s.folder(target));
      std::vector<entry> found;
      std::uint64_t octets = 0;
      for (const auto& id : piece) {
        IMA_TRY(one, s.cache->find(from.number, id));
        octets += one ? one->size : 0;
        found.push_back(one ? std::move(*one) : entry());
      }
      IMA_CHECK(s.check_room(found.size(), octets));
      std::vector<journal_record> records;
      for (auto& original : found) {
        copies.emplace_back();
        if (original.id.empty()) continue;
        auto copied = link_copy(original.id);
        if (!copied) unlink_copies(records);
        IMA_TRY(copy, std::move(copied));
        if (copy.empty()) continue;
        original.id = copies.back() = copy;
        records.emplace_back(record_of(original, to.number));
      }
      return s.append(records);
    });
  });
}

}  // namespace ima::mailbox
