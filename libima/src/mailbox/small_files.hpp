#pragma once

#include "mailbox/layout.hpp"

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace ima::mailbox {

/// Octets of a small file at most.
inline constexpr std::size_t longest_small_file = 64 * 1024;

/// Writes a small file as a whole: built in tmp/, synced, renamed to `path` in `directory`.
result<void> replace_small(file_system& files, const layout::tree& tree, octets text,
                           const std::string& path, const std::string& directory);
/// Reads a small file; nothing where there is none.
result<std::optional<std::string>> read_small(file_system& files, const std::string& path);

/// Writes `format`, for version 1.
result<void> write_format(file_system& files, const layout::tree& tree);
/// That there is a mailbox, of the version that this program knows. Error: `mailbox-format`.
result<void> check_format(file_system& files, const layout::tree& tree);

}  // namespace ima::mailbox
