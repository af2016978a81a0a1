#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <utility>

// What is at the post office no more goes here; what is here goes there, if asked.

namespace ima::mirror {
namespace {

constexpr std::size_t page = 1000;
constexpr std::string_view delivered_here = "-";  // in place of an origin

}  // namespace

// What other mailboxes have stays until the last of them has it no more.
result<void> mirror::state::remove_gone(folder_end& end) {
  IMA_TRY(gone, gone_here(end));
  IMA_TRY(ids, left_for_good(gone));
  IMA_TRY(more, not_named(end));
  gone.insert(gone.end(), more.begin(), more.end());
  ids.insert(ids.end(), more.begin(), more.end());
  IMA_CHECK(remove_all(end.folder, ids));
  if (!options_.two_way) return {};
  IMA_CHECK(remove_moved(end.folder, gone));
  return unpair_deleted(gone);
}

// Copies that left a folder there and are in none on either side.
result<void> mirror::state::unpair_deleted(const std::vector<std::string>& gone) {
  std::vector<std::string> deleted;
  for (const std::string& id : gone) {
    if (!is_copy(id)) continue;
    IMA_TRY(here, local_.locate(id));
    IMA_TRY(remote_id, notes_.remote_id(id));
    if (!here && !remote_id.empty()) deleted.push_back(id);
  }
  IMA_TRY(there, still_there(deleted));
  for (const std::string& id : deleted)
    if (!there.contains(id)) IMA_CHECK(notes_.unpair(id));
  return {};
}

// The ids here of what left a folder there.
result<std::vector<std::string>> mirror::state::gone_here(const folder_end& end) {
  std::vector<std::string> ids;
  for (const std::string& there : end.gone) {
    IMA_TRY(id, notes_.local_id(there));
    if (!id.empty()) ids.push_back(std::move(id));
  }
  return ids;
}

// What left a folder there and is still in it here may be in another folder there, which told of it
// before this one did, as of a move from here. All folders' are asked for at once.
result<void> mirror::state::ask_for_gone(const std::vector<folder_end>& ends) {
  std::vector<std::string> here;
  for (const folder_end& end : ends) {
    IMA_TRY(ids, gone_here(end));
    for (std::string& id : ids) {
      IMA_TRY(found, local_.find(end.folder, id));
      if (found) here.push_back(std::move(id));
    }
  }
  IMA_TRY(there, still_there(here));
  elsewhere_ = std::move(there);
  for (std::string& id : here) elsewhere_.try_emplace(std::move(id));
  return {};
}

// Those that were asked for and are nowhere, or in a folder that is not here. What is in another
// one now follows, unless runs knew that: then it was moved back here since.
result<std::vector<std::string>> mirror::state::left_for_good(
    const std::vector<std::string>& gone) {
  std::vector<std::string> ids;
  for (const std::string& id : gone) {
    const auto now = elsewhere_.find(id);
    if (now == elsewhere_.end()) continue;
    const std::string& folder = now->second;
    IMA_TRY(there, notes_.remote_id(id));
    const std::string* known = own_ ? own_->place_of(there) : nullptr;
    if (folder.empty() || std::ranges::find(folders_, folder) == folders_.end())
      ids.push_back(id);
    else if (known == nullptr || *known != folder)
      IMA_CHECK(refile(folder, id, old_flags::kept));
  }
  return ids;
}

// What was moved here, and is in no folder there any more, goes from where it is, though people
// move it meanwhile. One way, it was filed for this mailbox alone, and stays.
result<void> mirror::state::remove_moved(const std::string& folder,
                                         const std::vector<std::string>& ids) {
  for (std::map<std::string, std::string> before;;) {
    std::map<std::string, std::string> places;
    for (const std::string& id : ids) {
      IMA_TRY(now, local_.locate(id));
      if (now && now->folder != folder) places.emplace(id, std::move(now->folder));
    }
    if (places == before) return {};
    IMA_CHECK(remove_from(places));
    before = std::move(places);
  }
}

// Those that are in no folder there, from the folders given for each.
result<void> mirror::state::remove_from(const std::map<std::string, std::string>& places) {
  std::vector<std::string> moved;
  for (const auto& [id, place] : places) moved.push_back(id);
  IMA_TRY(there, still_there(moved));
  std::map<std::string, std::vector<std::string>> going;
  for (const auto& [id, place] : places)
    if (!there.contains(id)) going[place].push_back(id);
  for (const auto& [place, some] : going) IMA_CHECK(remove_all(place, some));
  return {};
}

result<void> mirror::state::remove_all(const std::string& folder,
                                       const std::vector<std::string>& ids) {
  IMA_TRY(going, had_nowhere_else(folder, ids));
  for (std::span<const std::string> rest(going); !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), page));
    rest = rest.subspan(some.size());
    IMA_CHECK(remove(folder, some));
  }
  return {};
}

// No tombstone is left, as what went there may come back there, or is in a folder that is brought
// another time.
result<void> mirror::state::remove(const std::string& folder, std::span<const std::string> ids) {
  std::vector<own_changes::change> going;
  for (const std::string& id : ids) {
    IMA_TRY(there, notes_.remote_id(id));
    going.push_back({there, folder, {}, {}});
  }
  IMA_CHECK(will_do(going));
  IMA_TRY(removed, local_.remove(folder, ids));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (removed[i] != mailbox::outcome::done) continue;  // it moved to another folder
    IMA_CHECK(notes_.unpair(ids[i]));
    IMA_CHECK(notes_.set_origins(ids[i], {}));
  }
  return local_.forget_deletion(ids);
}

// The messages of a folder that came from there, were not named when it was listed, and are in no
// other folder there either: a move from here may not have got through.
result<std::vector<std::string>> mirror::state::not_named(const folder_end& end) {
  std::vector<std::string> left;
  if (!end.compare) return left;
  std::string token = end.compare_from;
  for (bool more = true; more;) {
    const auto read = local_.changes(end.folder, token, page);
    if (!read && read.error().rule == "resync" && token != retrieval::first_token) {
      token = retrieval::first_token;
      continue;
    }
    if (!read) return read.error();
    const mailbox::change_page& got = *read;
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

// Which mailboxes a message here came from. Of one whose file cannot be read nobody knows.
result<std::vector<std::string>> mirror::state::origins(const std::string& folder,
                                                        const std::string& id) {
  IMA_TRY(noted, notes_.origins(id));
  if (!noted.empty()) return noted;
  const auto stored = local_.header(folder, id);
  if (!stored || !*stored) return noted;
  const auto only = mailbox::record_value((*stored)->record, "origin");
  return std::vector{std::string(only.empty() ? delivered_here : only)};
}

result<bool> mirror::state::is_from_there(const std::string& folder, const std::string& id) {
  if (is_copy(id)) {
    IMA_TRY(there, notes_.remote_id(id));
    return there.empty() ? was_expected(folder, id) : result<bool>(true);
  }
  IMA_TRY(all, origins(folder, id));
  return std::ranges::find(all, notes_.origin(id)) != all.end();
}

// A run that was stopped may have stored the copy, and none asked for it since.
result<bool> mirror::state::was_expected(const std::string& folder, const std::string& id) {
  IMA_TRY(all, origins(folder, id));
  const std::string from_there = notes_.origin("");
  for (const std::string& origin : all) {
    if (!origin.starts_with(from_there)) continue;
    IMA_TRY(paired, notes_.local_id(origin.substr(from_there.size())));
    if (paired == id) return true;
  }
  return false;
}

// A message that is here from elsewhere, and there as well. A copy has an id for each mailbox.
result<void> mirror::state::claim(const std::string& folder, const std::string& id) {
  if (is_copy(id)) return {};
  IMA_TRY(all, origins(folder, id));
  const std::string own = notes_.origin(id);
  if (all.empty() || std::ranges::find(all, own) != all.end()) return {};
  all.push_back(own);
  return notes_.set_origins(id, all);
}

// Those of the messages, which went there, that came from there alone. Of the others it is noted
// that this mailbox has them no more.
result<std::vector<std::string>> mirror::state::had_nowhere_else(
    const std::string& folder, const std::vector<std::string>& ids) {
  std::vector<std::string> going;
  for (const std::string& id : ids) {
    IMA_TRY(here, local_.find(folder, id));
    IMA_TRY(ours, is_from_there(folder, id));
    if (!here || !ours) continue;
    IMA_TRY(noted, notes_.origins(id));
    std::erase(noted, notes_.origin(id));
    if (noted.empty())
      going.push_back(id);
    else
      IMA_CHECK(notes_.set_origins(id, noted));
  }
  return going;
}

// Which of the messages with these ids there are in a folder there. A change of flags that applies
// to none, as every seq is greater than 0, says so without sending anything of them.
result<std::set<std::string>> mirror::state::in_folder_there(const std::string& folder,
                                                             const std::vector<std::string>& ids) {
  const retrieval::flag_change nothing{{}, {"nothing"}, 0};
  std::set<std::string> found;
  if (ids.empty()) return found;
  const auto outcomes = remote_.flag(folder, ids, nothing);
  if (!outcomes && outcomes.error().rule == "no-folder") return found;
  if (!outcomes) return outcomes.error();
  for (std::size_t i = 0; i < ids.size(); ++i)
    if ((*outcomes)[i] != retrieval::message_outcome::gone) found.insert(ids[i]);
  return found;
}

// In which folder there the messages with these local ids are; those that are in any.
result<std::map<std::string, std::string>> mirror::state::still_there(
    const std::vector<std::string>& ids) {
  std::map<std::string, std::string> wanted;  // what was found in no folder yet, by the id there
  for (const std::string& id : ids) {
    IMA_TRY(there, notes_.remote_id(id));
    wanted[there] = id;
  }
  std::map<std::string, std::string> found;
  for (const std::string& folder : there_) {
    std::vector<std::string> asked;
    for (const auto& [remote_id, id] : wanted) asked.push_back(remote_id);
    IMA_TRY(in, in_folder_there(folder, asked));
    for (const std::string& remote_id : in)
      found.emplace(wanted.extract(remote_id).mapped(), folder);
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
