#include "mirror/state.hpp"
#include "support/try.hpp"

#include <ima/mailbox/delivery.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

// What was done in the local mailbox goes to the post office.

namespace ima::mirror {
namespace {

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

// What was done here while the run was at work.
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
    IMA_TRY(there, id_to_send(folder, id, change));
    if (there.empty()) continue;
    const bool gone = change.gone && change.moved_to.empty();
    if (gone)
      deleted.push_back(id);
    else if (change.gone)
      moved[change.moved_to].push_back(there);
    if (!gone) flagged[{change.gone ? change.moved_to : folder, change.flags}].push_back(there);
  }
  IMA_CHECK(will_send(folder, changes));
  for (const auto& [target, ids] : moved) IMA_CHECK(push_moves(folder, target, ids));
  IMA_CHECK(push_deletions(folder, deleted));
  for (const auto& [where, ids] : flagged) {
    const auto& [name, flags] = where;
    for (const auto& change : flags_as(flags))
      IMA_CHECK(answered(name, without_value(remote_.flag(name, ids, change))));
  }
  return {};
}

// The id there; empty for what is only here, and for what a run moved to another folder, which
// sends what people did to it.
result<std::string> mirror::state::id_to_send(const std::string& folder, const std::string& id,
                                              const local_change& change) {
  if (!change.gone) {
    IMA_TRY(here, local_.find(folder, id));
    if (!here) return std::string();
  }
  return notes_.remote_id(id);
}

// What is sent comes back with the post office's changes; but nothing does of what came into this
// folder here from another, which sends it.
result<void> mirror::state::will_send(const std::string& folder, const local_changes& changes) {
  std::vector<own_changes::change> sent;
  for (const auto& [id, change] : changes) {
    IMA_TRY(there, id_to_send(folder, id, change));
    const std::string& place = change.gone ? change.moved_to : folder;
    const std::string* known = own_->place_of(there);
    if (there.empty() || place.empty() || (known != nullptr && *known != folder)) continue;
    sent.push_back({there, {}, place, change.flags});
  }
  return own_->will_send(sent);
}

result<void> mirror::state::push_moves(const std::string& folder, const std::string& target,
                                       const std::vector<std::string>& ids) {
  auto outcome = make_there(target);
  if (outcome) outcome = without_value(remote_.move(folder, target, ids));
  return answered(folder, std::move(outcome));
}

// What is in another folder there is deleted by what people did in that; until then a copy keeps
// its id.
result<void> mirror::state::push_deletions(const std::string& folder,
                                           const std::vector<std::string>& ids) {
  std::vector<std::string> going;
  std::vector<std::string> there;
  for (const std::string& id : ids) {
    IMA_TRY(deleted, was_deleted_here(id));
    IMA_TRY(remote_id, notes_.remote_id(id));
    if (!deleted || remote_id.empty()) continue;
    going.push_back(id);
    there.push_back(std::move(remote_id));
  }
  if (there.empty()) return {};
  const auto outcomes = remote_.remove(folder, there);
  if (!outcomes) return answered(folder, outcomes.error());
  for (std::size_t i = 0; i < going.size(); ++i)
    if ((*outcomes)[i] == retrieval::message_outcome::done) IMA_CHECK(notes_.unpair(going[i]));
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

// A folder that is only here, and that something was moved to. It is another there than one that
// was brought under this name.
result<void> mirror::state::make_there(const std::string& folder) {
  if (there_.contains(folder)) return {};
  IMA_TRY(here, local_.folders());
  const auto found = std::ranges::find(here, folder, &mailbox::folder::name);
  if (!remote_.offers("folders"))
    return error{fault::refused, "unsupported", folder, "the post office makes no folders"};
  auto made = remote_.create_folder(folder, found == here.end() ? "" : found->role);
  if (!made && made.error().rule == "folder-role") made = remote_.create_folder(folder);
  if (!made && made.error().rule != "folder-exists") return made;
  for (const auto what : {subject::there, subject::missed})
    IMA_CHECK(notes_.renew(what, folder, ""));
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
