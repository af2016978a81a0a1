#pragma once

#include <ima/mailbox/delivery.hpp>

#include <string>

// The server's own record at the front of a message file (docs/mailbox.md section 4).

namespace ima::mailbox {

inline constexpr std::size_t record_limit = 16 * 1024;
inline constexpr std::size_t most_flags = 64;  ///< Of one message.

/// The record as octets, blank line included. Error: fault::caller `record-text`, `flag`,
/// `folder-name`.
result<std::string> write_record(const record& note);

/// Reads a record, blank line included. Error: fault::temporary `message-damaged`, whatever is
/// wrong with it.
result<record> read_record(octets text);

result<void> check_folder_name(std::string_view name);
result<void> check_flag(std::string_view flag);
/// Error: `flag`, where one is not a flag or they are too many.
result<void> check_flags(const std::vector<std::string>& flags);

/// Flags as one word, sorted, each once: `flagged,seen`, or `-`.
std::string join_flags(std::vector<std::string> flags);
std::vector<std::string> split_flags(std::string_view word);

}  // namespace ima::mailbox
