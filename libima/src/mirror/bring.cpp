#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>

// What changed at the post office comes here.

namespace ima::mirror {
namespace {

constexpr std::uint64_t page = 1000;

// The words of `from` that `other` lacks.
std::vector<std::string> without(const std::vector<std::string>& from,
                                 const std::vector<std::string>& other) {
  std::vector<std::string> out;
  std::ranges::copy_if(from, std::back_inserter(out), [&](const std::string& word) {
    return std::ranges::find(other, word) == other.end();
  });
  return out;
}

}  // namespace

result<retrieval::change_page> mirror::state::next_page(const std::string& folder,
                                                        std::string& token) {
  auto got = remote_.changes(folder, token, page);
  if (!got && got.error().rule == "resync" && token != retrieval::first_token) {
    token = retrieval::first_token;
    got = remote_.changes(folder, token, page);
  }
  if (got && got->more && got->token == token)
    return error{fault::peer, "no-progress", folder, "the post office gives the same page again"};
  return got;
}

result<mirror::state::folder_end> mirror::state::bring(const std::string& folder,
                                                       const on_message& report) {
  so_far_.folder = folder;
  folder_end end;
  end.folder = folder;
  IMA_TRY(kept, notes_.token(subject::there, folder));
  end.token = std::move(kept);
  IMA_TRY(known, notes_.get(subject::known, folder));
  IMA_TRY(here, local_.status(folder));
  if (own_) IMA_CHECK(begin_here(folder));
  begun_.insert(folder);
  end.generation = generation_of(here.token);
  end.known = known == end.generation;
  IMA_TRY(missed, notes_.get_messages(subject::missed, folder));
  end.again = std::move(missed);
  IMA_TRY(emptied, notes_.get(subject::emptied, folder));
  if (options_.delete_after && emptied.empty())  // other runs brought what is to go there now
    end.token = retrieval::first_token;
  if (options_.two_way) IMA_CHECK(look_here(end));
  const bool whole = end.token == retrieval::first_token;
  IMA_CHECK(bring_pages(end, report));
  if (!whole && !end.known) IMA_CHECK(bring_lost(end, report));
  listed_afresh_ = listed_afresh_ || (!whole && end.whole);
  IMA_CHECK(put_back(end));
  IMA_CHECK(push(folder, end.mine));
  return end;
}

// From now on what people do in a folder is known, however this run ends. What is known of another
// that had its name says nothing, but for one that the post office has.
result<void> mirror::state::begin_here(const std::string& folder) {
  IMA_TRY(now, local_.status(folder));
  IMA_TRY(looked, notes_.get(subject::here, folder));
  const bool other = !there_.contains(folder) && !same_folder(looked, now.token);
  return looked.empty() || other ? notes_.set(subject::here, folder, now.token) : result<void>();
}

result<void> mirror::state::bring_pages(folder_end& end, const on_message& report) {
  for (bool more = true; more;) {
    IMA_TRY(got, next_page(end.folder, end.token));
    if (end.token == retrieval::first_token) IMA_CHECK(begin_list(end));
    IMA_TRY(wanted, missing(end, got.changes));
    IMA_CHECK(fetch_all(end, wanted, report));
    end.token = std::move(got.token);
    more = got.more;
  }
  std::vector<retrieval::entry> again;
  for (const auto& [id, entry] : end.again) again.push_back(entry);
  return fetch_all(end, again, report);
}

// What was here once and is not here any more, though nobody deleted it. Where a message is here,
// its folder and flags stay as they are.
result<void> mirror::state::bring_lost(folder_end& end, const on_message& report) {
  std::string token(retrieval::first_token);
  for (bool more = true; more;) {
    IMA_TRY(got, next_page(end.folder, token));
    std::vector<retrieval::entry> wanted;
    for (retrieval::change& change : got.changes) {
      if (!change.present || end.missed.contains(change.id)) continue;
      IMA_TRY(id, notes_.local_id(change.id));
      IMA_TRY(here, local_.locate(id));
      if (!here) wanted.push_back(*std::move(change.present));
    }
    IMA_CHECK(fetch_all(end, wanted, report));
    token = std::move(got.token);
    more = got.more;
  }
  return {};
}

// All that is there is about to be named (docs/retrieval.md section 5.4). What was moved out of the
// folder here and is not named may have been deleted there.
result<void> mirror::state::begin_list(folder_end& end) {
  end.gone.clear();
  for (const auto& [id, change] : end.mine) {
    IMA_TRY(there, notes_.remote_id(id));
    if (!change.moved_to.empty() && !there.empty()) end.gone.insert(std::move(there));
  }
  end.named.clear();
  end.again.clear();
  end.missed.clear();
  end.whole = true;
  if (end.another && !std::exchange(end.mine, {}).empty())
    failures_.push_back({fault::temporary, "not-sent-back", end.folder,
                         "the folder here is another than the one brought before, and the post "
                         "office lists it afresh: what was done to its messages stays here"});
  IMA_TRY(here, local_.status(end.folder));
  end.compare = here.messages > 0;
  return {};
}

result<std::vector<retrieval::entry>> mirror::state::missing(
    folder_end& end, std::vector<retrieval::change>& changes) {
  std::vector<retrieval::entry> wanted;
  for (retrieval::change& change : changes) {
    end.again.erase(change.id);
    end.missed.erase(change.id);
    if (!change.present) {
      end.gone.insert(std::move(change.id));
      continue;
    }
    end.gone.erase(change.id);  // it came back
    IMA_TRY(here, adapt(end, *change.present));
    if (!here)
      wanted.push_back(*std::move(change.present));
    else if (options_.delete_after)
      end.brought.push_back(std::move(change.id));  // an earlier run was stopped before it could
  }
  return wanted;
}

// Gives a message that is here already its folder and flags; false where it is not here.
result<bool> mirror::state::adapt(folder_end& end, const retrieval::entry& entry) {
  IMA_TRY(id, notes_.local_id(entry.id));
  if (id.empty()) return false;
  if (end.compare) end.named.insert(std::hash<std::string>()(id));
  if (is_echo(end, id, entry)) {
    IMA_TRY(here, local_.locate(id));
    return here.has_value();
  }
  // That a whole list names it does not say that it changed there: what was done here counts.
  const local_change* mine = end.whole ? done_here(end, id) : nullptr;
  if (mine == nullptr) return place(end, id, entry);
  IMA_CHECK(keep_mine(end.folder, id, *mine));
  return true;
}

// What a run sent comes back, and what it brought before it was stopped is told again. Neither is a
// change there: what was done here since counts, where that is known.
bool mirror::state::is_echo(folder_end& end, const std::string& id, const retrieval::entry& entry) {
  if (!own_ || (end.another && end.whole)) return false;
  const auto known = own_->knows(entry.id, end.folder, entry.flags);
  if (known == own_changes::knowledge::likely) return done_here(end, id) != nullptr;
  return known == own_changes::knowledge::certain;
}

// What people did to a message that is in this folder there, also in one that had another name
// there; null where nothing.
const mirror::state::local_change* mirror::state::done_here(folder_end& end,
                                                            const std::string& id) {
  auto mine = end.mine.find(id);
  if (const auto before = departed_.find(id); mine == end.mine.end() && before != departed_.end())
    mine = end.mine.insert(*before).first;
  return mine == end.mine.end() ? nullptr : &mine->second;
}

// Flags that were changed here stay; where the message is does not.
result<void> mirror::state::keep_mine(const std::string& folder, const std::string& id,
                                      const local_change& mine) {
  if (!mine.gone) IMA_CHECK(refile(folder, id, old_flags::kept));
  return {};
}

// The post office's change stays, whatever was done here, and is done meanwhile.
result<bool> mirror::state::place(folder_end& end, const std::string& id,
                                  const retrieval::entry& entry) {
  for (bool set = false; !set;) {
    IMA_TRY(here, refile(end.folder, id, old_flags::replaced));
    if (!here) return false;
    IMA_CHECK(claim(end.folder, id));
    IMA_TRY(done, set_flags(end.folder, *here, entry));
    set = done;
  }
  end.mine.erase(id);
  return true;
}

// Files a message in a folder, though people move it meanwhile; nothing where they deleted it.
// Flags that are kept may be a person's, and are looked at again.
result<std::optional<mailbox::entry>> mirror::state::refile(const std::string& folder,
                                                            const std::string& id, old_flags its) {
  IMA_TRY(there, notes_.remote_id(id));
  for (;;) {
    IMA_TRY(here, local_.locate(id));
    if (!here) return std::optional<mailbox::entry>();
    if (here->folder == folder) return std::optional(std::move(here->message));
    own_changes::change moving{there, here->folder, folder, std::nullopt};
    if (its == old_flags::replaced) moving.flags = here->message.flags;
    IMA_CHECK(will_do(std::span(&moving, 1)));
    IMA_TRY(moved, local_.move(here->folder, folder, std::span(&id, 1)));
    if (moved.front() == mailbox::outcome::done) return std::optional(std::move(here->message));
  }
}

// False where it is not in the folder any more.
result<bool> mirror::state::set_flags(const std::string& folder, const mailbox::entry& here,
                                      const retrieval::entry& there) {
  const mailbox::flag_change what{without(there.flags, here.flags),
                                  without(here.flags, there.flags), std::nullopt};
  const bool same = what.add.empty() && what.remove.empty();
  if (same && (!own_ || own_->place_of(there.id) == nullptr)) return true;
  const own_changes::change changing{there.id, folder, folder, there.flags};
  IMA_CHECK(will_do(std::span(&changing, 1)));
  if (same) return true;
  IMA_TRY(set, local_.set_flags(folder, std::span(&here.id, 1), what));
  return set.front() == mailbox::outcome::done;
}

// What a run before moved out of this folder, and the post office has in it all the same, and did
// not name now: the folder had another name meanwhile.
result<void> mirror::state::put_back(const folder_end& end) {
  if (end.whole) return {};  // it named all
  std::map<std::string, std::string> strayed;
  std::vector<std::string> asked;
  for (const std::string& id : end.strayed) {
    IMA_TRY(there, notes_.remote_id(id));
    IMA_TRY(here, local_.locate(id));
    if (!here || here->folder == end.folder) continue;
    strayed.emplace(there, id);
    asked.push_back(there);
  }
  IMA_TRY(in, in_folder_there(end.folder, asked));
  for (const std::string& there : in)
    IMA_CHECK(refile(end.folder, strayed.at(there), old_flags::kept));
  return {};
}

result<void> mirror::state::will_do(std::span<const own_changes::change> changes) {
  if (!own_ || changes.empty()) return {};
  IMA_TRY(now, local_.status("inbox"));  // which is always there
  return own_->will_do(changes, now.token);
}

// Does what is left to do in a folder.
result<void> mirror::state::settle(folder_end& end) {
  if (!keeps_) IMA_CHECK(remove_gone(end));
  if (!end.brought.empty()) IMA_CHECK(delete_there(end));
  return {};
}

// Remembers up to where it is done.
result<void> mirror::state::note(folder_end& end) {
  if (keeps_) IMA_CHECK(notes_.set(subject::emptied, end.folder, options_.delete_after ? "1" : ""));
  if (options_.two_way) IMA_CHECK(push_meanwhile(end));
  states_.push_back({end.folder, end.token});
  IMA_CHECK(notes_.set_messages(subject::missed, end.folder, end.missed));
  if (!end.known) IMA_CHECK(notes_.set(subject::known, end.folder, end.generation));
  return notes_.renew(subject::there, end.folder, end.token);
}

}  // namespace ima::mirror
