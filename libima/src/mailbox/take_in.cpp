#include "mailbox/record.hpp"
#include "mailbox/store.hpp"

#include <limits>

// Taking in what was delivered, and putting right what crashes left (docs/mailbox.md sections 6
// and 8).

namespace ima::mailbox {

namespace {

constexpr auto all_names = std::numeric_limits<std::size_t>::max();
constexpr std::size_t round_names = 4096;

class intake {
 public:
  intake(file_system& files, const layout::tree& tree, index& cache)
      : files_(files), tree_(tree), cache_(cache) {}

  /// Decides about one name in new/: a record to append, or nothing where it was dropped.
  result<std::optional<message_record>> consider(std::string_view id) {
    IMA_TRY(found, layout::find_object(files_, tree_.incoming(), id));
    if (!found) return std::optional<message_record>();
    IMA_TRY(unwanted, had(id));
    if (unwanted) {
      IMA_CHECK(layout::remove_object(files_, *found));
      return std::optional<message_record>();
    }
    return read(*found, id);
  }

 private:
  result<bool> had(std::string_view id) {
    IMA_TRY(live, cache_.message(id));
    if (live) return finish(id);
    IMA_TRY(tombstone, files_.status(tree_.tombstone(id)));
    return tombstone.has_value();
  }

  // In the journal, yet in new/: a second copy, unless the first one's files are missing, which
  // this one then replaces.
  result<bool> finish(std::string_view id) {
    const std::string shard = tree_.shard(id);
    IMA_TRY(there, layout::find_object(files_, shard, id));
    if (there) return true;
    IMA_TRY(waiting, layout::find_object(files_, tree_.incoming(), id));
    IMA_CHECK(
        files_.rename(waiting->path, shard + "/" + layout::object_name(id, waiting->directory)));
    IMA_CHECK(files_.sync_directory(shard));
    replaced_ = true;
    return false;
  }

  result<std::optional<message_record>> read(const layout::object& what, std::string_view id) {
    if (std::exchange(replaced_, false)) return std::optional<message_record>();
    IMA_TRY(text, open_text(files_, what));
    std::size_t size = 0;
    IMA_TRY(note, read_record(text.record, size));
    IMA_TRY(folder, cache_.folder(note.folder));
    return std::optional(message_record{
        std::string(id), folder ? folder->number : 1, text.header.size() + text.header.body_size(),
        note.received.at.time_since_epoch().count(), join_flags(note.flags)});
  }

  file_system& files_;
  const layout::tree& tree_;
  index& cache_;
  bool replaced_ = false;
};

}  // namespace

result<std::uint64_t> mailbox::take_in() {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  std::uint64_t taken = 0;
  // A round more only where the last one was full and made progress, so that a message that cannot
  // be read holds nobody up for ever.
  for (bool again = true; again;) {
    IMA_TRY(names, s.files.list(s.tree.incoming(), round_names));
    if (names.empty()) break;
    const std::uint64_t before = taken;
    auto done = s.locked([&]() -> result<void> {
      std::vector<journal_record> records;
      for (const auto& name : names) {
        const auto id = layout::id_in(name);
        if (!id) continue;
        auto decided = intake(s.files, s.tree, *s.cache).consider(*id);
        if (!decided && decided.error().rule == "message-damaged") continue;
        if (!decided) return decided.error();
        if (!*decided) continue;
        ++taken;
        records.emplace_back(std::move(**decided));
        if (records.size() < batch) continue;
        IMA_CHECK(s.append(records));
        records.clear();
      }
      return s.append(records);
    });
    if (!done) return done.error();
    again = names.size() == round_names && taken > before;
  }
  return taken;
}

namespace {

// Looks through a whole mailbox; changes something only where `repair` is set.
class examination {
 public:
  examination(file_system& files, const layout::tree& tree, index& cache, bool repair)
      : files_(files), tree_(tree), cache_(cache), repair_(repair) {}

  result<report> run() {
    IMA_CHECK(leftovers());
    for (const char* digits = "0123456789abcdef"; const char high : std::string_view(digits))
      for (const char low : std::string_view(digits)) {
        const std::string shard{high, low};
        IMA_CHECK(strays(tree_.messages() + "/" + shard));
        IMA_CHECK(tombstones(tree_.tombstones() + "/" + shard));
      }
    IMA_CHECK(missing());
    return found_;
  }

 private:
  bool older(const file_status& s, std::chrono::seconds age) {
    return files_.now() - s.changed > age;
  }

  result<void> leftovers() {
    IMA_TRY(names, files_.list(tree_.tmp(), all_names));
    for (const auto& name : names) {
      const std::string path = tree_.tmp() + "/" + name;
      IMA_TRY(status, files_.status(path));
      if (!status || !older(*status, layout::leftover_age)) continue;
      ++found_.unfinished;
      if (repair_) IMA_CHECK(layout::remove_object(files_, {path, status->directory}));
    }
    return {};
  }

  // A copy's files whose record was never written, a removal that was not finished: they go. Any
  // other message without a record goes back to new/: nothing that was delivered is thrown away.
  result<void> strays(const std::string& shard) {
    IMA_TRY(names, files_.list(shard, all_names));
    for (const auto& name : names) {
      const auto id = layout::id_in(name);
      if (!id) continue;
      IMA_TRY(live, cache_.message(*id));
      if (live) continue;
      ++found_.strays;
      if (repair_) IMA_CHECK(settle(shard + "/" + name, name, *id));
    }
    return {};
  }

  result<void> settle(const std::string& path, const std::string& name, std::string_view id) {
    IMA_TRY(status, files_.status(path));
    IMA_TRY(tombstone, files_.status(tree_.tombstone(id)));
    if (tombstone || layout::is_apart(id))
      return layout::remove_object(files_, {path, status && status->directory});
    IMA_CHECK(files_.rename(path, tree_.incoming() + "/" + name));
    return files_.sync_directory(tree_.incoming());
  }

  result<void> tombstones(const std::string& shard) {
    IMA_TRY(names, files_.list(shard, all_names));
    for (const auto& name : names) {
      IMA_TRY(status, files_.status(shard + "/" + name));
      if (!status || !older(*status, layout::tombstone_age)) continue;
      ++found_.tombstones;
      if (repair_) IMA_CHECK(files_.unlink(shard + "/" + name));
    }
    return {};
  }

  result<void> missing() {
    for (std::string last;;) {
      IMA_TRY(ids, cache_.ids(last, batch));
      if (ids.empty()) return {};
      for (const auto& id : ids) {
        IMA_TRY(there, layout::find_object(files_, tree_.shard(id), id));
        if (!there) found_.missing.push_back(id);
      }
      last = ids.back();
    }
  }

  file_system& files_;
  const layout::tree& tree_;
  index& cache_;
  bool repair_;
  report found_;
};

}  // namespace

result<report> mailbox::recover() {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<report> {
    IMA_TRY(found, examination(s.files, s.tree, *s.cache, true).run());
    found.torn = std::exchange(s.torn, 0);
    return found;
  });
}

result<report> mailbox::check() {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<report> {
    IMA_TRY(found, examination(s.files, s.tree, *s.cache, false).run());
    found.torn = s.torn;
    return found;
  });
}

}  // namespace ima::mailbox
