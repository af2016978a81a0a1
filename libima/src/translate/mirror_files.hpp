#pragma once

#include "translate/mirror_state.hpp"

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/translate/message_to_mime.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ima::translate {

/// A file that a mirror wrote: "SECONDS.ID.ima", and what a reader adds.
struct mirrored_file {
  std::string place;       ///< "cur" or "new".
  std::string name;        ///< Without a directory.
  bool confirmed = false;  ///< This update found its message in the folder.
};

/// The files of one folder that a mirror wrote. Its reader may rename and delete them at any
/// instant.
class mirror_files {
 public:
  using map = std::map<std::string, mirrored_file, std::less<>>;  // by id

  /// `top` where the directory is the Maildir itself.
  mirror_files(mailbox::file_system& disk, std::string directory, bool top)
      : disk_(disk), directory_(std::move(directory)), top_(top) {}

  /// Makes the directories that are missing, and what marks them as a folder's.
  result<void> make_directories();
  /// Takes in what is there; again, what a listing missed because it was renamed meanwhile.
  result<void> list();
  /// Removes what an update that did not come to its end left in tmp/.
  result<void> remove_drafts();

  const map& all() const noexcept { return files_; }
  /// Null where there is none.
  mirrored_file* find(std::string_view id);

  /// False where it is no longer there by that name.
  result<bool> give_flags(mirrored_file& file, const flag_list& flags);
  /// False where it was not there by that name.
  result<bool> remove(const std::string& id);
  /// Adds a file, changed when its message arrived. On an error nothing is left of it.
  result<void> write(const flagged_file& file, std::chrono::sys_seconds arrived,
                     message_to_mime& mail);
  /// What was done is on disk when this returns.
  result<void> sync();
  /// Removes the directories if there is no mail in them.
  result<void> remove_directories();

 private:
  using name_taker = std::function<result<void>(const std::string&)>;

  result<void> list(const std::string& place, const name_taker& each);
  result<void> found(const std::string& id, mirrored_file file);
  result<void> write_draft(const std::string& draft, std::chrono::sys_seconds arrived,
                           message_to_mime& mail);
  std::string path(std::string_view place) const { return directory_ + "/" + std::string(place); }
  std::string path(const mirrored_file& file) const { return path(file.place) + "/" + file.name; }

  mailbox::file_system& disk_;
  std::string directory_;
  bool top_;
  map files_;
};

}  // namespace ima::translate
