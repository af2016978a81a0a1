#include "mailbox/journal_writer.hpp"
#include "mailbox/record.hpp"
#include "mailbox/store.hpp"

#include <fmt/format.h>

// A new journal for one that is damaged (docs/mailbox.md section 11).

namespace ima::mailbox {

namespace {

// Gathers in an index of its own what can still be known, and writes it down.
class salvage {
 public:
  salvage(file_system& files, const layout::tree& tree, index& known)
      : files_(files), tree_(tree), known_(known) {}

  result<void> gather() {
    IMA_CHECK(known_.begin());
    IMA_CHECK(learn(folder_record{1, "inbox", "inbox"}));
    IMA_CHECK(read_journal());
    // Their folder's line is lost, and their own names a number alone.
    IMA_CHECK(known_.house_homeless());
    IMA_CHECK(read_messages());
    return known_.move_to({1, {}});
  }

  result<void> write() {
    return replace_journal(files_, tree_, known_, [this](const auto& id) { return is_there(id); });
  }

  /// Ids that the old journal named and no file holds.
  const std::vector<std::string>& missing() const noexcept { return missing_; }

 private:
  result<void> learn(journal_record what) {
    if (auto* f = std::get_if<folder_record>(&what)) IMA_CHECK(settle_folder(*f));
    return known_.apply({++seq_, std::move(what), 0});
  }

  // Two folders may have the same name or role where the line between is lost.
  result<void> settle_folder(folder_record& f) {
    IMA_TRY(all, known_.folders());
    for (const auto& other : all) {
      if (other.number == f.number) continue;
      if (other.name == f.name) f.name = fmt::format("{} ({})", f.name, f.number);
      if (other.role == f.role) f.role.clear();
    }
    return {};
  }

  result<void> read_journal() {
    auto opened = files_.open(tree_.journal());
    if (!opened && opened.error().rule == "file-missing") return {};
    if (!opened) return opened.error();
    return read_whole_lines(**opened, [this](const journal_entry& e) { return learn(e.what); });
  }

  // What lies in msg/ and is named by no line that is left; a removal that was not finished has its
  // line or a tombstone, and is finished.
  result<void> read_messages() {
    for (int i = 0; i < 256; ++i) {
      const std::string shard = tree_.shard(fmt::format("{:02x}", i));
      IMA_CHECK(files_.list(shard, [&](const std::string& name) {
        const auto id = layout::id_in(name);
        return id ? adopt(shard, *id) : result<void>();
      }));
    }
    return {};
  }

  result<void> adopt(const std::string& shard, std::string_view id) {
    IMA_TRY(live, known_.message(id));
    IMA_TRY(deleted, layout::was_deleted_of_late(files_, tree_, id));
    IMA_TRY(removed, known_.was_removed(id));
    IMA_TRY(object, layout::find_object(files_, shard, id));
    if (live || !object) return {};
    if (deleted || removed) return layout::remove_object(files_, tree_, *object);
    auto message = describe_message(files_, *object, id, known_);
    if (!message && concerns_one_message(message.error())) return {};
    if (!message) return message.error();
    return learn(std::move(*message));
  }

  result<bool> is_there(const std::string& id) {
    IMA_TRY(taken_in, layout::find_object(files_, tree_.shard(id), id));
    IMA_TRY(waiting, layout::find_object(files_, tree_.incoming(), id));
    if (!taken_in && !waiting) missing_.push_back(id);
    return taken_in || waiting;
  }

  file_system& files_;
  const layout::tree& tree_;
  index& known_;
  std::uint64_t seq_ = 0;
  std::vector<std::string> missing_;
};

result<void> keep_damaged(file_system& files, const layout::tree& tree) {
  auto kept = layout::link_or_copy(files, tree.journal(),
                                   tree.root + "/journal.damaged-" + layout::random_hex(8));
  if (!kept && kept.error().rule != "file-missing") return kept;
  return {};
}

// Returns what the old journal named in vain.
result<std::vector<std::string>> renew_journal(file_system& files, const layout::tree& tree) {
  IMA_TRY(lock, files.open_append(tree.lock()));
  IMA_CHECK(lock->lock());
  IMA_TRY(known, index::open_temporary());
  salvage found(files, tree, known);
  IMA_CHECK(found.gather());
  IMA_CHECK(keep_damaged(files, tree));
  IMA_CHECK(found.write());
  return found.missing();
}

// A journal of version 1 says what its mailbox is, should `format` be missing.
result<bool> has_lost_format(file_system& files, const layout::tree& tree) {
  IMA_TRY(there, files.status(tree.format()));
  return !there && journal::open(files, tree.journal());
}

// Returns the names of the directories that were missing, as after a backup that leaves empty ones
// out.
result<std::vector<std::string>> complete_tree(file_system& files, const layout::tree& tree) {
  IMA_TRY(lost, has_lost_format(files, tree));
  if (!lost) IMA_CHECK(check_format(files, tree));
  IMA_TRY(lock, files.open_append(tree.lock()));
  IMA_CHECK(lock->lock());
  IMA_TRY(made, layout::make_directories(files, tree));
  if (lost) IMA_CHECK(write_format(files, tree));
  return std::move(made);
}

}  // namespace

// Where the journal is damaged before the place to which an index has followed it, the index still
// knows all that it said.
result<void> mailbox::state::mend_journal() {
  auto good = verify_journal();
  if (good || good.error().rule != "journal-damaged") return good;
  const std::lock_guard guard(mutex);
  return locked([this]() -> result<void> {
    IMA_CHECK(keep_damaged(files, tree));
    return compact();
  });
}

result<report> mailbox::repair(file_system& files, const std::string& path, options o) {
  const layout::tree tree{path};
  IMA_TRY(absent, complete_tree(files, tree));
  const auto recover_all = [&]() -> result<report> {
    IMA_TRY(box, open(files, path, o));
    IMA_CHECK(box.state_->mend_journal());
    IMA_TRY(found, box.recover());
    IMA_CHECK(box.take_in());  // with what recovery gave back
    return std::move(found);
  };
  auto found = recover_all();
  if (!found && found.error().rule != "journal-damaged") return found;
  if (!found || !found->missing.empty()) {
    IMA_TRY(missing, renew_journal(files, tree));
    found = recover_all();
    if (found) found->missing = std::move(missing);
  }
  if (found) found->absent = std::move(absent);
  return found;
}

}  // namespace ima::mailbox
