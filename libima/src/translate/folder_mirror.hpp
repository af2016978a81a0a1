#pragma once

#include "translate/mirror_files.hpp"
#include "translate/mirror_state.hpp"

#include <ima/error.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/translate/maildir_mirror.hpp>
#include <ima/translate/transfer.hpp>

#include <set>
#include <string>
#include <vector>

namespace ima::translate {

/// What the mirrors of all folders have in common.
struct mirror_work {
  mailbox::mailbox& box;
  mailbox::file_system& disk;
  mirror_state& state;
  const transfer_report& report;
  const limits& bounds;
  mirror_changes changes{};
};

/// Updates the files of one folder. Whatever ends it, the file of the state says what it did.
class folder_mirror {
 public:
  folder_mirror(mirror_work& work, std::string folder, const std::string& directory)
      : work_(work),
        folder_(std::move(folder)),
        state_(work.state.folders[folder_]),
        files_(work.disk, directory, folder_ == "inbox") {}

  result<void> update();

 private:
  result<void> list();
  result<void> take_flags();
  result<void> take_flags(const std::string& id, const flag_list& now);
  result<void> follow();
  result<mailbox::change_page> next_page();
  result<void> plan(const std::vector<mailbox::entry>& entries);
  result<void> apply(const mailbox::entry& entry);
  result<void> give_flags(mirrored_file& file, const flagged_file& wanted);
  result<void> write(const mailbox::entry& entry);
  result<void> write_file(const mailbox::entry& entry, const header_block& header,
                          transferred& outcome);
  result<void> remove(const std::string& id);
  result<void> write_lost();
  result<void> remove_strays();

  mirror_work& work_;
  std::string folder_;
  mirrored_folder& state_;
  mirror_files files_;
  std::string token_;                 // how far the changes were followed
  bool from_start_ = false;           // all that is in the folder was named
  bool names_synced_ = false;         // as the listing found them
  bool behind_ = false;               // a file was not where it was, and waits for the next update
  std::set<std::string> unreadable_;  // ids that this update left out
};

/// Removes the files of a folder that the mailbox no longer has, and then its directories.
result<void> remove_mirror(mirror_work& work, const std::string& directory);

}  // namespace ima::translate
