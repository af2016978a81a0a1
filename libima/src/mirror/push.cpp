#include "mirror/state.hpp"
#include "support/try.hpp"

#include <ima/mailbox/delivery.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

// What was done in the local mailbox goes to the post office.

namespace ima::mirror {
namespace {

constexpr std::size_t page = 1000;

// A user's own keyword is only ever added: that it is missing here does not say that it was taken
// away. One request names so many flags at most, and what goes makes room for what comes.
std::vector<retrieval::flag_change> flags_as(const std::vector<std::string>& here) {
  retrieval::flag_change first;
  for (const std::string_view flag : retrieval::system_flags)
    if (std::ranges::find(here, flag) == here.end()) first.remove.emplace_back(flag);
  const auto fits = std::min(here.size(), retrieval::most_flags - first.remove.size());
  const auto middle = here.begin() + static_cast<std::ptrdiff_t>(fits);
  first.add.assign(here.begin(), middle);
  std::vector<retrieval::flag_change> changes{std::move(first)};
  if (middle != here.end()) changes.push_back({{middle, here.end()}, {}, std::nullopt});
  return changes;
}

template <class T>
result<void> without_value(const result<T>& outcome) {
  return outcome ? result<void>() : outcome.error();
}

}  // namespace

result<void> mirror::state::look_here(folder_end& end) {
  IMA_CHECK(pair_copies(end));
  IMA_TRY(looked, notes_.get(subject::here, end.folder));
  end.here = std::move(looked);
  return look_again(end);
}

// A copy of the mailbox that an older version made knows the copies' ids here by those there, and
// not the other way round. The list there tells, once.
result<void> mirror::state::pair_copies(const folder_end& end) {
  IMA_TRY(done, notes_.get(subject::paired, end.folder));
  if (!done.empty()) return {};
  std::string token(retrieval::first_token);
  for (bool more = end.token != retrieval::first_token; more;) {
    IMA_TRY(got, next_page(end.folder, token));
    for (const retrieval::change& change : got.changes) {
      IMA_TRY(here, notes_.local_id(change.id));
      if (!is_copy(change.id) || here.empty()) continue;
      IMA_CHECK(notes_.pair(change.id, here));
    }
    token = got.token;
    more = got.more;
  }
  return notes_.set(subject::paired, end.folder, "1");
}

// What was done in a folder since `end.here`, which becomes the state now. Where the local mailbox
// does not know that state any more, nobody can tell.
result<void> mirror::state::look_again(folder_end& end) {
  IMA_TRY(now, local_.status(end.folder));
  const std::string from = std::exchange(end.here, now.token);
  auto read = read_changes(end, from);
  if (read || read.error().rule != "resync") return read;
  if (generation_of(from) == generation_of(now.token)) return compare_here(end, from);
  failures_.push_back(
      {fault::temporary, "not-sent-back", end.folder,
       "the directory was repaired or compacted, or its notes are damaged: what was "
       "changed in it since the last run stays here"});
  return {};
}

result<void> mirror::state::read_changes(folder_end& end, const std::string& from) {
  std::string token = from;
  for (bool more = true; more;) {
    IMA_TRY(got, local_.changes(end.folder, token, page));
    for (const mailbox::entry& entry : got.entries)
      if (!touched_.contains(entry.id)) IMA_CHECK(take_note(end, entry, from));
    end.here = token = got.token;
    more = got.more;
  }
  return {};
}

// The folder here is another of that name. The old one was renamed, or emptied and deleted: where
// the messages are now that it holds there tells what was done to each.
result<void> mirror::state::compare_here(folder_end& end, const std::string& since) {
  end.another = true;
  std::string token(retrieval::first_token);
  for (bool more = end.token != retrieval::first_token; more;) {
    IMA_TRY(got, next_page(end.folder, token));
    for (const retrieval::change& change : got.changes)
      if (change.present) IMA_CHECK(compare(end, *change.present, since));
    token = got.token;
    more = got.more;
  }
  return {};
}

result<void> mirror::state::compare(folder_end& end, const retrieval::entry& there,
                                    const std::string& since) {
  IMA_TRY(id, notes_.local_id(there.id));
  if (id.empty()) return {};
  IMA_TRY(here, local_.find(end.folder, id));
  if (here && here->flags == there.flags) return {};
  return take_note(end, here ? *here : mailbox::entry{.id = id, .gone = true}, since);
}

// What a run did that was stopped is no person's work, but for the flags that were changed since.
result<void> mirror::state::take_note(folder_end& end, const mailbox::entry& here,
                                      const std::string& since) {
  IMA_TRY(change, describe(end.folder, here));
  IMA_TRY(there, notes_.remote_id(here.id));
  const std::string now = change.gone ? change.moved_to : end.folder;
  const auto share = own_->did(there, now, change.flags, since);
  if (share != own_changes::share::nothing) {
    if (change.gone) end.strayed.insert(here.id);
    if (now.empty() || share == own_changes::share::everything) return {};
    change.gone = false;
    change.moved_to.clear();
  }
  end.mine.insert_or_assign(here.id, std::move(change));
  return {};
}

// What left the folder was moved or deleted; where it is now tells, as people work here meanwhile.
result<mirror::state::local_change> mirror::state::describe(const std::string& folder,
                                                            const mailbox::entry& here) {
  local_change change{here.flags, {}, here.gone};
  if (!here.gone) return change;
  IMA_TRY(now, local_.locate(here.id));
  if (!now) return change;
  change.flags = std::move(now->message.flags);
  change.gone = now->folder != folder;
  if (change.gone) change.moved_to = std::move(now->folder);
  return change;
}

// What was done in folders that are at the post office no more: they may have another name there.
result<void> mirror::state::look_at_departed() {
  departed_.clear();
  for (const std::string& name : folders_) {
    IMA_TRY(looked, notes_.get(subject::here, name));
    if (there_.contains(name) || looked.empty()) continue;
    folder_end end;
    end.folder = name;
    auto read = read_changes(end, looked);
    if (!read && read.error().rule != "resync") return read;
    departed_.merge(end.mine);
  }
  return {};
}

// What was done here while the run was at work; its own changes are not people's.
result<void> mirror::state::push_meanwhile(folder_end& end) {
  folder_end meanwhile;
  meanwhile.folder = end.folder;
  meanwhile.token = end.token;
  meanwhile.here = end.here;
  IMA_CHECK(look_again(meanwhile));
  IMA_CHECK(push(end.folder, meanwhile.mine));
  return notes_.set(subject::here, end.folder, meanwhile.here);
}

result<void> mirror::state::push(const std::string& folder, const local_changes& changes) {
  std::map<std::string, std::vector<std::string>> moved;
  std::vector<std::string> deleted;
  std::map<std::pair<std::string, std::vector<std::string>>, std::vector<std::string>> flagged;
  for (const auto& [id, change] : changes) {
    if (touched_.contains(id)) continue;  // the post office's change stays
    IMA_TRY(there, notes_.remote_id(id));
    if (there.empty()) continue;  // it is only here
    const bool gone = change.gone && change.moved_to.empty();
    if (gone)
      deleted.push_back(id);
    else if (change.gone)
      moved[change.moved_to].push_back(there);
    if (!gone) flagged[{change.gone ? change.moved_to : folder, change.flags}].push_back(there);
  }
  for (const auto& [target, ids] : moved) IMA_CHECK(push_moves(folder, target, ids));
  IMA_CHECK(push_deletions(folder, deleted));
  for (const auto& [where, ids] : flagged) {
    const auto& [name, flags] = where;
    for (const auto& change : flags_as(flags))
      IMA_CHECK(answered(name, without_value(remote_.flag(name, ids, change))));
  }
  return {};
}

result<void> mirror::state::push_moves(const std::string& folder, const std::string& target,
                                       const std::vector<std::string>& ids) {
  auto outcome = make_there(target);
  if (outcome) outcome = without_value(remote_.move(folder, target, ids));
  return answered(folder, std::move(outcome));
}

result<void> mirror::state::push_deletions(const std::string& folder,
                                           const std::vector<std::string>& ids) {
  std::vector<std::string> there;
  for (const std::string& id : ids) {
    IMA_TRY(deleted, was_deleted_here(id));
    IMA_TRY(remote_id, notes_.remote_id(id));
    if (deleted) there.push_back(std::move(remote_id));
  }
  if (there.empty()) return {};
  auto outcome = without_value(remote_.remove(folder, there));
  const bool done = outcome.has_value();
  if (auto good = answered(folder, std::move(outcome)); !good || !done) return good;
  for (const std::string& id : ids) IMA_CHECK(notes_.unpair(id));
  return {};
}

// By a person, not by a run without `two_way` that saw it go there: such a one leaves no tombstone,
// and no note of a copy. Nothing that is in any folder here goes there.
result<bool> mirror::state::was_deleted_here(const std::string& id) {
  IMA_TRY(here, local_.locate(id));
  if (here || is_copy(id)) return !here;
  IMA_TRY(name, digest::parse(id));
  return mailbox::was_deleted(mailbox::posix_file_system(), options_.path, name);
}

// A folder that is only here, and that something was moved to.
result<void> mirror::state::make_there(const std::string& folder) {
  if (there_.contains(folder)) return {};
  IMA_TRY(here, local_.folders());
  const auto found = std::ranges::find(here, folder, &mailbox::folder::name);
  if (!remote_.offers("folders"))
    return error{fault::refused, "unsupported", folder, "the post office makes no folders"};
  auto made = remote_.create_folder(folder, found == here.end() ? "" : found->role);
  if (!made && made.error().rule == "folder-role") made = remote_.create_folder(folder);
  if (!made && made.error().rule != "folder-exists") return made;
  there_.insert(folder);
  made_.push_back(folder);
  return {};
}

// What is refused for good stays as it is here, and is told.
result<void> mirror::state::answered(const std::string& folder, result<void> outcome) {
  if (outcome || outcome.error().kind != fault::refused) return outcome;
  failures_.push_back({fault::refused, "not-sent-back", folder, outcome.error().message()});
  return {};
}

}  // namespace ima::mirror
