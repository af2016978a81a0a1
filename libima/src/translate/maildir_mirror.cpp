#include "support/parent_of.hpp"
#include "support/try.hpp"
#include "translate/folder_mirror.hpp"
#include "translate/maildir_folders.hpp"
#include "translate/maildir_names.hpp"
#include "translate/mirror_state.hpp"

#include <ima/translate/maildir_mirror.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace ima::translate {
namespace {

// Updates one Maildir, folder by folder.
class maildir_update {
 public:
  maildir_update(mirror_work& work, std::string directory)
      : work_(work), directory_(std::move(directory)) {}

  result<void> run();

 private:
  result<void> name_folders();
  result<void> name_removed();
  result<bool> has_own_files(const std::string& name);
  result<void> note_folders();
  std::string path(const std::string& name) const {
    return name.empty() ? directory_ : directory_ + "/" + name;
  }

  mirror_work& work_;
  std::string directory_;
  std::map<std::string, std::string> folders_;  // the directory of each
  std::map<std::string, std::string> removed_;  // the same of those that are no longer
};

result<void> maildir_update::run() {
  IMA_CHECK(work_.box.take_in());
  IMA_CHECK(name_folders());
  IMA_CHECK(name_removed());
  IMA_CHECK(note_folders());
  for (const auto& [folder, name] : folders_)
    IMA_CHECK(folder_mirror(work_, folder, path(name)).update());
  for (const auto& [folder, name] : removed_) {
    IMA_CHECK(remove_mirror(work_, path(name)));
    work_.state.folders.erase(folder);
  }
  return work_.state.write();
}

result<void> maildir_update::name_folders() {
  IMA_TRY(folders, work_.box.folders());
  for (const mailbox::folder& folder : folders)
    folders_.emplace(folder.name, mirror_directory_of(folder.name));
  return {};
}

// Without a state, what was a folder of the mailbox is known by the mirror's files in it.
result<void> maildir_update::name_removed() {
  for (const auto& [folder, had] : work_.state.folders)
    if (!folders_.contains(folder)) removed_.emplace(folder, mirror_directory_of(folder));
  if (work_.state.found) return {};
  std::set<std::string> known;
  for (const auto& [folder, name] : folders_) known.insert(name);
  return work_.disk.list(directory_, [&](const std::string& name) -> result<void> {
    if (!name.starts_with('.') || known.contains(name)) return {};
    IMA_TRY(own, has_own_files(name));
    if (own) removed_.emplace(folder_of(name), name);
    return {};
  });
}

result<bool> maildir_update::has_own_files(const std::string& name) {
  IMA_TRY(there, work_.disk.status(path(name)));
  if (!there || !there->directory) return false;
  mirror_files files(work_.disk, path(name), name.empty());
  IMA_CHECK(files.list());
  return !files.all().empty();
}

// Before there is a file in a folder, the state names it: whenever this update ends, the next one
// knows where to look.
result<void> maildir_update::note_folders() {
  const std::size_t had = work_.state.folders.size();
  for (const auto& [folder, name] : folders_) work_.state.folders.try_emplace(folder);
  return had == work_.state.folders.size() ? result<void>() : work_.state.write();
}

}  // namespace

result<mirror_changes> mirror_to_maildir(mailbox::mailbox& box, mailbox::file_system& disk,
                                         const std::string& directory,
                                         const transfer_report& report, const limits& bounds) {
  IMA_CHECK(check_no_mailbox(disk, directory));
  auto made = disk.make_directory(directory);
  if (!made && made.error().rule != "file-exists") return made.error();
  if (made) IMA_CHECK(disk.sync_directory(parent_of(directory)));
  IMA_TRY(turn, disk.open_append(directory + "/.ima-mirror-lock"));
  IMA_CHECK(turn->lock());
  IMA_TRY(state, mirror_state::read(disk, directory));
  mirror_work work{box, disk, state, report, bounds};
  IMA_CHECK(maildir_update(work, directory).run());
  return work.changes;
}

}  // namespace ima::translate
