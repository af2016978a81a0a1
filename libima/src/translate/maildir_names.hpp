#pragma once

#include <ima/error.hpp>

#include <string>
#include <string_view>
#include <vector>

// How a Maildir says folders and flags in names (Maildir++, as Dovecot and mutt read it).

namespace ima::translate {

/// Flags as ":2," and letters, in the order of the letters. Flags without a letter are left out.
std::string info_of(const std::vector<std::string>& flags);
/// The flags of a file's name, sorted.
std::vector<std::string> flags_of(std::string_view file_name);
/// The flags that a letter says; the others are for the mailbox alone.
bool has_letter(std::string_view flag) noexcept;
/// The name of a file that gets these flags. Letters that say none of ours stay, such as Dovecot's
/// keywords.
std::string with_flags(std::string_view file_name, const std::vector<std::string>& flags);
/// A file's name as far as its ":".
std::string_view base_of(std::string_view file_name) noexcept;
/// The same without ".ima", and without what other programs wrote behind that (",U=5", as mbsync
/// does); empty where the name is not one of ours.
std::string_view own_base_of(std::string_view file_name) noexcept;

/// The file by which programs know a folder's directory from the Maildir above it (Maildir++).
inline constexpr const char* folder_mark = "/maildirfolder";

/// The directory of a folder below the Maildir; empty for inbox. Error: fault::caller `folder-name`
/// where the name is too long for a directory's.
result<std::string> directory_of(std::string_view folder);
/// The same for a mirror, in which every folder has a directory: of a name that is too long the
/// front, "~" and 16 digits of its digest.
std::string mirror_directory_of(std::string_view folder);
/// The folder of a directory's name; "inbox" for the empty one.
std::string folder_of(std::string_view directory);

}  // namespace ima::translate
