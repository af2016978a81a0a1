#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace ima::translate {

/// A directory with `cur` at a Maildir's place, or one that cannot be looked into.
struct maildir_folder {
  std::filesystem::path directory;
  std::string folder;
  std::optional<error> problem;
};

/// The folders at `root`, by directory: of Maildir++, and of programs that keep each in a directory
/// of its name, one in the other. Error: fault::caller `no-input` where there are none.
result<std::vector<maildir_folder>> maildir_folders(const std::filesystem::path& root);

/// Error: fault::caller `transfer-out` where a Maildir is to be written into a mailbox.
result<void> check_no_mailbox(mailbox::file_system& disk, const std::string& directory);

/// That a directory cannot be listed.
error listing_failed(const std::filesystem::path& where, const std::error_code& why);

}  // namespace ima::translate
