#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>

#include <map>
#include <string>
#include <vector>

namespace ima::translate {

/// A folder as the last update of a mirror left it.
struct mirrored_folder {
  std::string token = "0";                                ///< Of the mailbox.
  std::map<std::string, std::vector<std::string>> flags;  ///< By id, those with a letter.
};
using mirror_state = std::map<std::string, mirrored_folder>;

/// Reads `.ima-mirror` in the Maildir; empty where there is none. Errors: those of `disk`;
/// fault::temporary `mirror-state`.
result<mirror_state> read_mirror_state(mailbox::file_system& disk, const std::string& directory);
/// Replaces it in one step.
result<void> write_mirror_state(mailbox::file_system& disk, const std::string& directory,
                                const mirror_state& state);

}  // namespace ima::translate
