#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ima::translate {

using flag_list = std::vector<std::string>;  // sorted, those with a letter

/// A message's file and the flags that its name says, or is to say.
struct flagged_file {
  std::string id;
  flag_list flags;
};

/// A folder as updates of a mirror left it.
struct mirrored_folder {
  std::string token = "0";                 ///< Of the mailbox.
  std::map<std::string, flag_list> flags;  ///< By id.
  /// What an update that did not come to its end was about to give files, by id: they may have it.
  std::map<std::string, std::vector<flag_list>> planned;
};

/// The file `.ima-mirror` in a Maildir: what the last update left, and behind it what the present
/// one is about to do, so that one that ends at any instant leaves its own flags known as such.
class mirror_state {
 public:
  /// Empty where there is no file. Errors: those of `disk`; fault::temporary `mirror-state`.
  static result<mirror_state> read(mailbox::file_system& disk, const std::string& directory);

  std::map<std::string, mirrored_folder> folders;  ///< By name.
  bool found = false;                              ///< There was a file.

  /// Replaces the file in one step.
  result<void> write();
  /// Adds that these files may get these flags; it is on disk when this returns. After write() or a
  /// file that was read.
  result<void> plan(const std::string& folder, std::span<const flagged_file> files);
  /// Adds that the mailbox has the flags of this file.
  result<void> settle(const std::string& folder, const flagged_file& file);

 private:
  mirror_state(mailbox::file_system& disk, const std::string& directory)
      : disk_(&disk), directory_(directory) {}
  std::string path() const { return directory_ + "/.ima-mirror"; }
  result<std::uint64_t> parse(std::string_view text);
  bool take_line(std::string_view line, mirrored_folder*& folder);
  result<void> append(std::string_view lines);

  mailbox::file_system* disk_;
  std::string directory_;
  std::uint64_t size_ = 0;                // of the whole lines in the file
  std::unique_ptr<mailbox::file> added_;  // the file, while lines are added to it
};

}  // namespace ima::translate
