#include "mirror.hpp"

#include <algorithm>
#include <utility>

// The folders here become those there.

namespace ima::tools {
namespace {

constexpr std::string_view inbox_role = "inbox";  // which no other folder ever has

}  // namespace

result<std::vector<retrieval::folder_info>> mirror::choose_folders() {
  auto all = remote_.folders();
  if (!all) return all;
  there_.clear();
  for (const auto& folder : *all) there_.insert(folder.name);
  std::ranges::stable_partition(*all, [](const auto& f) { return f.role == inbox_role; });
  if (options_.folders.empty()) return all;
  std::vector<retrieval::folder_info> chosen;
  for (const std::string& name : options_.folders) {
    const auto found = std::ranges::find(*all, name, &retrieval::folder_info::name);
    if (found == all->end())
      return error{fault::refused, "no-folder", name, "the post office has no such folder"};
    if (std::ranges::find(chosen, name, &retrieval::folder_info::name) == chosen.end())
      chosen.push_back(*found);
  }
  return chosen;
}

result<void> mirror::make_folders(const std::vector<retrieval::folder_info>& folders) {
  auto here = local_.folders();
  if (!here) return here.error();
  for (const auto& folder : folders)
    if (auto good = free_role(folder, *here); !good) return good;
  folders_.clear();
  for (const auto& folder : *here) folders_.push_back(folder.name);
  for (const auto& folder : folders)
    if (auto good = make_folder(folder, *here); !good) return good;
  return {};
}

// Where another folder has the role here, it is the same one, renamed there, or it lost the role.
result<void> mirror::free_role(const retrieval::folder_info& there,
                               std::vector<mailbox::folder>& here) {
  if (there.role.empty() || there.role == inbox_role) return {};
  const auto old = std::ranges::find(here, there.role, &mailbox::folder::role);
  if (old == here.end() || old->name == there.name) return {};
  const auto known = notes_.get(subject::there, old->name);
  if (!known) return known.error();
  const bool taken = std::ranges::find(here, there.name, &mailbox::folder::name) != here.end();
  if (known->empty() || taken || there_.contains(old->name)) {
    old->role.clear();
    return local_.set_folder_role(old->name, "");
  }
  if (auto good = notes_.copy(old->name, there.name); !good) return good;
  if (auto good = local_.rename_folder(old->name, there.name); !good) return good;
  return notes_.forget(std::exchange(old->name, there.name));
}

result<void> mirror::make_folder(const retrieval::folder_info& there,
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

// Folders that were brought once and are not there any more. What was never there stays.
result<void> mirror::drop_folders() {
  if (!options_.folders.empty() || keeps_) return {};
  for (const std::string& name : folders_) {
    if (there_.contains(name)) continue;
    const auto known = notes_.get(subject::there, name);
    if (!known) return known.error();
    if (known->empty()) continue;
    folder_end end;
    end.folder = name;
    end.compare = true;
    if (auto good = remove_gone(end); !good) return good;
    if (auto good = notes_.forget(name); !good) return good;
    auto dropped = local_.delete_folder(name);
    if (!dropped && dropped.error().rule != "folder-in-use") return dropped;
  }
  return {};
}

}  // namespace ima::tools
