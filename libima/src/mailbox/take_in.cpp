#include "mailbox/record.hpp"
#include "mailbox/store.hpp"

#include <algorithm>
#include <unordered_set>

// Taking in what was delivered (docs/mailbox.md section 7).

namespace ima::mailbox {

namespace {

// Decides, with the lock held, about messages in new/.
class intake {
 public:
  intake(file_system& files, const layout::tree& tree, index& cache)
      : files_(files), tree_(tree), cache_(cache) {}

  /// A record to append, or nothing where the message was dropped or cannot be read.
  result<std::optional<message_record>> consider(std::string_view id) {
    IMA_TRY(found, layout::find_object(files_, tree_.incoming(), id));
    if (!found) return std::optional<message_record>();
    IMA_TRY(unwanted, had(id, *found));
    if (unwanted) return std::optional<message_record>();
    auto made = describe_message(files_, *found, id, cache_);
    // It stays where it is and keeps nobody else's out; check() names it.
    if (!made && concerns_one_message(made.error())) return std::optional<message_record>();
    if (!made) return made.error();
    return std::optional(std::move(*made));
  }

 private:
  // In the journal, yet in new/: a second copy, unless the first one's files are missing, which
  // this one then replaces. The first one's name is on disk before the second goes, as whoever
  // renamed it may not have come so far.
  result<bool> had(std::string_view id, const layout::object& waiting) {
    IMA_TRY(live, cache_.message(id));
    if (live) {
      IMA_TRY(there, layout::find_durable(files_, tree_.shard(id), id));
      if (!there) return replace_missing(id, waiting);
    }
    IMA_TRY(deleted, layout::was_deleted_of_late(files_, tree_, id));
    if (!live && !deleted) return false;
    IMA_CHECK(layout::remove_object(files_, tree_, waiting));
    return true;
  }

  result<bool> replace_missing(std::string_view id, const layout::object& waiting) {
    const std::string shard = tree_.shard(id);
    IMA_CHECK(
        files_.rename(waiting.path, shard + "/" + layout::object_name(id, waiting.directory)));
    IMA_CHECK(files_.sync_directory(shard));
    return true;
  }

  file_system& files_;
  const layout::tree& tree_;
  index& cache_;
};

}  // namespace

bool concerns_one_message(const error& e) {
  return e.rule == "message-damaged" || e.rule == "file-missing" || e.rule == "file-unreadable";
}

result<message_record> describe_message(file_system& files, const layout::object& what,
                                        std::string_view id, index& folders) {
  IMA_TRY(text, open_text(files, what));
  std::vector<std::string>& flags = text.note.flags;
  IMA_TRY(folder, folders.folder(text.note.folder));
  if (flags.size() > most_flags) flags.resize(most_flags);
  const std::int64_t arrived = text.note.received.at.time_since_epoch().count();
  return message_record{std::string(id), folder ? folder->number : 1,
                        text.header.size() + text.header.body_size(),
                        std::max<std::int64_t>(arrived, 0), join_flags(std::move(flags))};
}

// new/ is synced first: a deliverer that has not come so far yet may never come, and the journal
// must not name what a crash takes away.
result<std::uint64_t> mailbox::state::take_in(const std::vector<std::string>& ids) {
  return locked([&]() -> result<std::uint64_t> {
    std::vector<message_record> came;
    intake incoming(files, tree, *cache);
    for (const auto& id : ids) {
      IMA_TRY(decided, incoming.consider(id));
      if (decided) came.push_back(std::move(*decided));
    }
    std::ranges::stable_sort(came, {}, &message_record::arrived);
    const std::vector<journal_record> records(came.begin(), came.end());
    if (records.empty()) return std::uint64_t{0};
    IMA_CHECK(files.sync_directory(tree.incoming()));
    const std::uint64_t taken = records.size();
    IMA_CHECK(append(records));
    return taken;
  });
}

namespace {

// What waits, by the time of its files, as more may wait than is looked at together. A message may
// be there both as a file and as a directory.
result<std::vector<std::string>> waiting_ids(file_system& files, const std::string& incoming) {
  using waiting = std::pair<std::chrono::sys_time<std::chrono::nanoseconds>, std::string>;
  std::vector<waiting> found;
  IMA_CHECK(files.list(incoming, [&](const std::string& name) -> result<void> {
    const auto id = layout::id_in(name);
    if (!id) return {};
    IMA_TRY(status, files.status(incoming + "/" + name));
    if (status) found.emplace_back(status->changed, *id);
    return {};
  }));
  std::ranges::sort(found);
  std::vector<std::string> ids;
  std::unordered_set<std::string> named;
  for (auto& [changed, id] : found)
    if (named.insert(id).second) ids.push_back(std::move(id));
  return ids;
}

}  // namespace

result<std::uint64_t> mailbox::take_in() {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  IMA_TRY(ids, waiting_ids(s.files, s.tree.incoming()));
  std::uint64_t taken = 0;
  for (std::span<const std::string> rest(ids); !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), batch));
    rest = rest.subspan(some.size());
    IMA_TRY(more, s.take_in({some.begin(), some.end()}));
    taken += more;
  }
  return taken;
}

result<void> mailbox::try_take_in() {
  auto taken = take_in();
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  const bool put_off = !taken && layout::is_put_off(taken.error());
  if (put_off && !s.put_off) s.tell("take-in-failed", {{"text", taken.error().message()}});
  s.put_off = put_off;
  if (taken || put_off) return {};
  return taken.error();
}

}  // namespace ima::mailbox
