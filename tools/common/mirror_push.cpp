#include "mirror.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

// What was done in the local mailbox goes to the post office.

namespace ima::tools {
namespace {

constexpr std::size_t page = 1000;

// Flags that one side may know and the other not (docs/retrieval.md section 5.8). A user's own
// keyword is only ever added: that it is missing here does not say that it was taken away.
constexpr std::array<std::string_view, 6> system_flags{"seen",  "answered",  "flagged",
                                                       "draft", "forwarded", "junk"};

}  // namespace

// What was done in a folder since `end.here`, which becomes the state now. The first time, and
// where the local mailbox does not know that state any more, nobody can tell.
result<std::vector<mirror::local_change>> mirror::changes_here(folder_end& end) {
  std::vector<local_change> changes;
  std::string from = end.here;
  const auto now = local_.status(end.folder);
  if (!now) return now.error();
  end.here = now->token;
  while (!from.empty()) {
    const auto got = local_.changes(end.folder, from, page);
    if (!got && got.error().rule == "resync") return std::vector<local_change>();
    if (!got) return got.error();
    for (const mailbox::entry& entry : got->entries) {
      if (touched_.contains(entry.id)) continue;
      auto change = describe(end.folder, entry);
      if (!change) return change.error();
      changes.push_back(*std::move(change));
    }
    end.here = got->token;
    from = got->more ? got->token : std::string();
  }
  return changes;
}

// What people did here while this run was at work; its own changes are not theirs.
result<void> mirror::push_changes(folder_end& end) {
  const auto changes = changes_here(end);
  if (!changes) return changes.error();
  if (auto good = push(end.folder, *changes); !good) return good;
  return local_.set_sync_state(here_name(end.folder), end.here);
}

// What left the folder was moved or deleted; where it is now tells.
result<mirror::local_change> mirror::describe(const std::string& folder,
                                              const mailbox::entry& here) {
  local_change change{here.id, here.flags, {}, here.gone};
  for (const std::string& name : folders_) {
    if (!here.gone || name == folder) continue;
    const auto found = local_.find(name, here.id);
    if (!found) return found.error();
    if (*found) change.moved_to = name;
  }
  return change;
}

result<void> mirror::push(const std::string& folder, const std::vector<local_change>& changes) {
  for (const local_change& change : changes) {
    if (touched_.contains(change.id)) continue;  // the post office's change stays
    auto good = push_one(folder, change);
    if (!good && good.error().kind != fault::refused) return good;  // a refused one stays as it is
  }
  return {};
}

// Only messages with the same id on both sides: copies have ids of their own.
result<void> mirror::push_one(const std::string& folder, const local_change& change) {
  const std::span<const std::string> ids(&change.id, 1);
  const auto done = [](const auto& outcome) {
    return outcome ? result<void>() : result<void>(outcome.error());
  };
  if (change.gone && !change.moved_to.empty())
    return done(remote_.move(folder, change.moved_to, ids));
  if (change.gone) return done(remote_.remove(folder, ids));
  retrieval::flag_change what{change.flags, {}, std::nullopt};
  for (const std::string_view flag : system_flags)
    if (std::ranges::find(change.flags, flag) == change.flags.end()) what.remove.emplace_back(flag);
  return done(remote_.flag(folder, ids, what));
}

}  // namespace ima::tools
