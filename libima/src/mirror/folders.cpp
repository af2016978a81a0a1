#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <utility>

// The folders here become those there.

namespace ima::mirror {
namespace {

constexpr std::string_view inbox_role = "inbox";  // which no other folder ever has

}  // namespace

result<std::vector<retrieval::folder_info>> mirror::state::choose_folders() {
  IMA_TRY(all, remote_.folders());
  there_.clear();
  for (const auto& folder : all) there_.insert(folder.name);
  std::stable_partition(all.begin(), all.end(), [](const auto& f) { return f.role == inbox_role; });
  if (options_.folders.empty()) return all;
  std::vector<retrieval::folder_info> chosen;
  for (const std::string& name : options_.folders) {
    const auto found = std::ranges::find(all, name, &retrieval::folder_info::name);
    if (found == all.end())
      return error{fault::refused, "no-folder", name, "the post office has no such folder"};
    if (std::ranges::find(chosen, name, &retrieval::folder_info::name) == chosen.end())
      chosen.push_back(*found);
  }
  return chosen;
}

result<void> mirror::state::make_folders(const std::vector<retrieval::folder_info>& folders) {
  IMA_TRY(here, local_.folders());
  for (const auto& folder : folders) IMA_CHECK(free_role(folder, here));
  folders_.clear();
  for (const auto& folder : here) folders_.push_back(folder.name);
  for (const auto& folder : folders) IMA_CHECK(make_folder(folder, here));
  return {};
}

// Where another folder has the role here, it is the same one, renamed there, or it lost the role.
result<void> mirror::state::free_role(const retrieval::folder_info& there,
                                      std::vector<mailbox::folder>& here) {
  if (there.role.empty() || there.role == inbox_role) return {};
  const auto old = std::ranges::find(here, there.role, &mailbox::folder::role);
  if (old == here.end() || old->name == there.name) return {};
  IMA_TRY(known, notes_.get(subject::there, old->name));
  const bool taken = std::ranges::find(here, there.name, &mailbox::folder::name) != here.end();
  if (known.empty() || taken || there_.contains(old->name)) {
    old->role.clear();
    return local_.set_folder_role(old->name, "");
  }
  IMA_CHECK(notes_.copy(old->name, there.name));
  IMA_CHECK(local_.rename_folder(old->name, there.name));
  return notes_.forget(std::exchange(old->name, there.name));
}

result<void> mirror::state::make_folder(const retrieval::folder_info& there,
                                        const std::vector<mailbox::folder>& here) {
  const auto found = std::ranges::find(here, there.name, &mailbox::folder::name);
  const std::string_view role = there.role == inbox_role ? "" : std::string_view(there.role);
  if (found == here.end()) {
    folders_.push_back(there.name);
    return local_.create_folder(there.name, role);
  }
  if (found->role == role || found->role == inbox_role) return {};
  return local_.set_folder_role(there.name, role);
}

// Folders that were brought once and are not there any more go; what was never there stays.
result<void> mirror::state::drop_folders() {
  if (!options_.folders.empty() || keeps_) return {};
  std::vector<std::string> moved;
  for (const auto& [id, change] : departed_)
    if (!change.moved_to.empty()) moved.push_back(id);
  IMA_CHECK(remove_moved("", moved));
  for (const std::string& name : folders_) {
    if (there_.contains(name)) continue;
    IMA_TRY(known, notes_.get(subject::there, name));
    if (!known.empty())
      IMA_CHECK(drop_folder(name));
    else if (options_.two_way)
      IMA_CHECK(sweep_folder(name));
  }
  return {};
}

result<void> mirror::state::drop_folder(const std::string& name) {
  folder_end end;
  end.folder = name;
  end.compare = true;
  IMA_CHECK(remove_gone(end));
  IMA_CHECK(notes_.forget(name));
  auto dropped = local_.delete_folder(name);
  if (!dropped && dropped.error().rule == "folder-in-use") return {};  // what was never there stays
  return dropped;
}

// What was moved to a folder that is only here, from one that nobody tells of any more, may have
// been deleted there. Looks at what came into it since it looked last, or at everything where the
// post office does not know the past.
result<void> mirror::state::sweep_folder(const std::string& name) {
  IMA_TRY(now, local_.status(name));
  IMA_TRY(swept, notes_.token(subject::swept, name));
  folder_end end;
  end.folder = name;
  end.compare = true;
  if (!listed_afresh_) end.compare_from = std::move(swept);
  IMA_CHECK(remove_gone(end));
  return notes_.renew(subject::swept, name, now.token);
}

}  // namespace ima::mirror
