#include "mirror/state.hpp"
#include "support/try.hpp"

#include <cstddef>
#include <utility>

// What was done in the local mailbox since the last run.

namespace ima::mirror {
namespace {

constexpr std::size_t page = 1000;

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
    for (const mailbox::entry& entry : got.entries) IMA_CHECK(take_note(end, entry, from));
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
  if (!here) {
    IMA_TRY(was, was_here(id));
    if (!was) return {};
  }
  return take_note(end, here ? *here : mailbox::entry{.id = id, .gone = true}, since);
}

// What a run did is no person's work, but for the flags that were changed since.
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
// What they do to it there from now on must be known even where that folder is not at the post
// office yet.
result<mirror::state::local_change> mirror::state::describe(const std::string& folder,
                                                            const mailbox::entry& here) {
  local_change change{here.flags, {}, here.gone};
  if (!here.gone) return change;
  IMA_TRY(now, local_.locate(here.id));
  if (now && !begun_.contains(now->folder)) {
    auto begun = begin_here(now->folder);
    if (!begun && begun.error().rule != "no-folder") return begun.error();
    begun_.insert(std::move(now->folder));  // also one that was just renamed
    return describe(folder, here);
  }
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

// What people did in folders that are only here was sent by now, or refused.
result<void> mirror::state::forget_departed() {
  IMA_TRY(here, local_.folders());
  for (const auto& folder : here)
    if (!there_.contains(folder.name)) IMA_CHECK(notes_.renew(subject::here, folder.name, ""));
  return {};
}

// Whether it is or was; of what never was nobody can have done anything.
result<bool> mirror::state::was_here(const std::string& id) {
  IMA_TRY(here, local_.locate(id));
  return here ? result<bool>(true) : was_deleted_here(id);
}

}  // namespace ima::mirror
