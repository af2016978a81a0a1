#include "mailbox/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

// Looking through a whole mailbox, and putting right what crashes left (docs/mailbox.md section
// 10). The lock is held for one shard at a time, or several with few messages, so that others get
// their turns.

namespace ima::mailbox {

namespace {

constexpr std::size_t most_named = 1000;

void name(std::vector<std::string>& list, std::string text) {
  if (list.size() < most_named) list.push_back(std::move(text));
}

}  // namespace

class mailbox::state::examination {
 public:
  struct how {
    bool repair = false;
    bool contents = false;
  };
  examination(state& s, how h) : state_(s), repair_(h.repair), contents_(h.contents) {}

  result<report> run() {
    IMA_CHECK(in_turn([this] { return leftovers(); }));
    IMA_CHECK(in_turn([this] { return notes(); }));
    IMA_CHECK(in_turn([this] { return waiting(); }));
    for (int next = 0; next < 256;) {
      IMA_CHECK(in_turn([&] { return some_shards(next); }));
      // Reading takes long, and needs no lock: what goes meanwhile is not damaged.
      for (const auto& id : std::exchange(to_verify_, {})) IMA_CHECK(verify(id));
    }
    return std::move(found_);
  }

 private:
  template <class Work>
  result<void> in_turn(const Work& work) {
    const std::lock_guard guard(state_.mutex);
    IMA_CHECK(state_.locked(work));
    found_.torn = state_.torn;
    return {};
  }

  result<void> verify(const std::string& id) {
    IMA_TRY(object, state_.object_of(id));
    if (!object) return {};
    auto good = verify_message(state_.files, *object, id);
    if (!good && good.error().rule == "message-damaged") name(found_.damaged, id);
    const bool told =
        good || good.error().rule == "message-damaged" || good.error().rule == "file-missing";
    return told ? result<void>() : good;
  }

  // Lists a directory of the mailbox, if it is there.
  template <class Each>
  result<void> list(const std::string& path, const Each& each) {
    IMA_TRY(there, state_.files.status(path));
    if (there) return state_.files.list(path, each);
    name(found_.absent, path.substr(state_.tree.root.size() + 1));
    return {};
  }

  bool older(const file_status& s, std::chrono::seconds age) {
    return state_.files.now() - s.changed > age;
  }

  result<void> leftovers() {
    file_system& disk = state_.files;
    return list(state_.tree.tmp(), [&](const std::string& each) -> result<void> {
      const std::string path = state_.tree.tmp() + "/" + each;
      IMA_TRY(status, disk.status(path));
      if (!status || !older(*status, layout::leftover_age)) return {};
      ++found_.unfinished;
      return repair_ ? layout::remove_leftover(disk, {path, status->directory}) : result<void>();
    });
  }

  result<void> notes() {
    return list(state_.tree.sync(), [](const std::string&) -> result<void> { return {}; });
  }

  // What take-in passes over, for whatever reason, would stay unseen.
  result<void> waiting() {
    file_system& disk = state_.files;
    const std::string& incoming = state_.tree.incoming();
    return list(incoming, [&](const std::string& each) -> result<void> {
      const auto id = layout::id_in(each);
      IMA_TRY(object, id ? layout::find_object(disk, incoming, *id)
                         : result<std::optional<layout::object>>(std::nullopt));
      if (!object)
        name(found_.odd, "new/" + each);
      else if (!open_text(disk, *object))
        name(found_.unreadable, std::string(*id));
      return {};
    });
  }

  result<void> some_shards(int& next) {
    for (seen_ = 0; next < 256 && seen_ < batch; ++next)
      IMA_CHECK(shard(fmt::format("{:02x}", next)));
    return {};
  }

  result<void> shard(const std::string& digits) {
    IMA_CHECK(messages(digits));
    return tombstones(state_.tree.tombstones() + "/" + digits);
  }

  result<void> messages(const std::string& digits) {
    const std::string directory = state_.tree.messages() + "/" + digits;
    std::set<std::string> there;
    IMA_CHECK(list(directory, [&](const std::string& each) -> result<void> {
      ++seen_;
      const auto id = layout::id_in(each);
      if (id)
        there.emplace(*id);
      else
        name(found_.odd, fmt::format("msg/{}/{}", digits, each));
      return {};
    }));
    // Behind the last digit, so that every id with these two lies between.
    IMA_TRY(live, state_.cache->ids(digits, digits + "g"));
    for (const auto& id : live) IMA_CHECK(expect(directory, id, there));
    if (contents_) to_verify_.insert(to_verify_.end(), live.begin(), live.end());
    for (const auto& id : there)
      if (!std::ranges::binary_search(live, id)) IMA_CHECK(stray(directory, id));
    return {};
  }

  result<void> expect(const std::string& directory, const std::string& id,
                      const std::set<std::string>& there) {
    if (there.contains(id)) {
      IMA_TRY(object, layout::find_object(state_.files, directory, id));
      if (object) return {};
    }
    name(found_.missing, id);
    return {};
  }

  // A removal that was not finished is finished. Any other message without a record goes back to
  // new/: rather a copy too many, of which nobody was told, than one too few.
  result<void> stray(const std::string& directory, const std::string& id) {
    IMA_TRY(object, layout::find_object(state_.files, directory, id));
    if (!object) {
      name(found_.odd, fmt::format("msg/{}/{}", id.substr(0, 2), id));
      return {};
    }
    ++found_.strays;
    return repair_ ? settle(*object, id) : result<void>();
  }

  result<void> settle(const layout::object& what, const std::string& id) {
    IMA_TRY(unwanted, is_unwanted(id));
    if (unwanted) return layout::remove_object(state_.files, state_.tree, what);
    const std::string& incoming = state_.tree.incoming();
    IMA_CHECK(
        state_.files.rename(what.path, incoming + "/" + layout::object_name(id, what.directory)));
    return state_.files.sync_directory(incoming);
  }

  result<bool> is_unwanted(const std::string& id) {
    IMA_TRY(waiting, layout::find_durable(state_.files, state_.tree.incoming(), id));
    IMA_TRY(deleted, layout::was_deleted_of_late(state_.files, state_.tree, id));
    if (waiting || deleted) return true;
    return state_.cache->was_removed(id);
  }

  result<void> tombstones(const std::string& directory) {
    file_system& disk = state_.files;
    return list(directory, [&](const std::string& each) -> result<void> {
      ++seen_;
      IMA_TRY(status, disk.status(directory + "/" + each));
      if (!status || !older(*status, layout::tombstone_kept)) return {};
      ++found_.tombstones;
      return repair_ ? disk.unlink(directory + "/" + each) : result<void>();
    });
  }

  state& state_;
  bool repair_;
  bool contents_;
  std::size_t seen_ = 0;  // names, in this turn
  std::vector<std::string> to_verify_;
  report found_;
};

result<report> mailbox::recover() {
  auto found = state::examination(*state_, {.repair = true}).run();
  if (found) {
    const std::lock_guard guard(state_->mutex);
    found->torn = std::exchange(state_->torn, 0);
  }
  return found;
}

result<report> mailbox::check(bool contents) {
  IMA_CHECK(state_->verify_journal());
  return state::examination(*state_, {.contents = contents}).run();
}

}  // namespace ima::mailbox
