#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

// What is at the post office no more goes here; what is here goes there, if asked.

namespace ima::mirror {
namespace {

constexpr std::size_t page = 1000;

}  // namespace

// No tombstone is left, as what went there may come back there, or is in a folder that is brought
// another time.
result<void> mirror::state::remove_gone(folder_end& end) {
  std::vector<std::string> ids;
  for (const std::string& remote_id : end.gone) {
    IMA_TRY(id, notes_.local_id(remote_id));
    if (!id.empty()) ids.push_back(std::move(id));
  }
  IMA_TRY(more, not_named(end));
  ids.insert(ids.end(), more.begin(), more.end());
  if (ids.empty()) return {};
  IMA_TRY(removed, local_.remove(end.folder, ids));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (removed[i] != mailbox::outcome::done) continue;  // it moved to another folder
    touch(ids[i]);
    IMA_CHECK(notes_.unpair(ids[i]));
  }
  return local_.forget_deletion(ids);
}

// The messages of a folder that came from there, were not named when it was listed, and are in no
// other folder there either: a move from here may not have got through.
result<std::vector<std::string>> mirror::state::not_named(const folder_end& end) {
  std::vector<std::string> left;
  if (!end.compare) return left;
  std::string token(retrieval::first_token);
  for (bool more = true; more;) {
    IMA_TRY(got, local_.changes(end.folder, token, page));
    for (const mailbox::entry& entry : got.entries) {
      if (entry.gone || end.named.contains(std::hash<std::string>()(entry.id))) continue;
      IMA_TRY(ours, is_from_there(end.folder, entry.id));
      if (ours) left.push_back(entry.id);
    }
    token = got.token;
    more = got.more;
  }
  IMA_TRY(elsewhere, still_there(left));
  std::erase_if(left, [&](const std::string& id) { return elsewhere.contains(id); });
  return left;
}

// Of one whose file cannot be read nobody knows, and it stays.
result<bool> mirror::state::is_from_there(const std::string& folder, const std::string& id) {
  if (is_copy(id)) {
    IMA_TRY(there, notes_.remote_id(id));
    return !there.empty();
  }
  const auto stored = local_.header(folder, id);
  if (!stored || !*stored) return false;
  return mailbox::record_value((*stored)->record, "origin") == notes_.origin(id);
}

// Which of the messages with these local ids are in any folder there. A change of flags that
// applies to none, as every seq is greater than 0, says so without sending anything of them.
result<std::set<std::string>> mirror::state::still_there(const std::vector<std::string>& ids) {
  const retrieval::flag_change nothing{{}, {"nothing"}, 0};
  std::map<std::string, std::string> wanted;  // what was found in no folder yet, by the id there
  for (const std::string& id : ids) {
    IMA_TRY(there, notes_.remote_id(id));
    wanted[there] = id;
  }
  std::set<std::string> found;
  for (const std::string& folder : there_) {
    std::vector<std::string> asked;
    for (const auto& [remote_id, id] : wanted) asked.push_back(remote_id);
    if (asked.empty()) break;
    const auto outcomes = remote_.flag(folder, asked, nothing);
    if (!outcomes && outcomes.error().rule == "no-folder") continue;
    if (!outcomes) return outcomes.error();
    for (std::size_t i = 0; i < asked.size(); ++i)
      if ((*outcomes)[i] != retrieval::message_outcome::gone)
        found.insert(wanted.extract(asked[i]).mapped());
  }
  return found;
}

// Noted before it is done: from then on that something is gone there is no reason to remove it.
result<void> mirror::state::delete_there(const folder_end& end) {
  IMA_CHECK(notes_.set(subject::emptied, "", "1"));
  IMA_CHECK(remote_.remove(end.folder, end.brought));
  return {};
}

}  // namespace ima::mirror
