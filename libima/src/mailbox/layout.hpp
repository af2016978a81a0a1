#pragma once

#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The names of docs/mailbox.md section 3, in one place.

namespace ima::mailbox::layout {

inline constexpr std::string_view format_name = "ima-mailbox ";
inline constexpr std::string_view format_line = "ima-mailbox 1\n";
inline constexpr std::uint64_t inline_limit = 65536;
inline constexpr std::size_t tmp_digits = 32;                 ///< Of a name in tmp/.
inline constexpr std::chrono::hours tombstone_age{14 * 24};   ///< As long as it counts.
inline constexpr std::chrono::hours tombstone_kept{15 * 24};  ///< Longer, as clocks differ.
inline constexpr std::chrono::hours leftover_age{36};

/// Names inside one mailbox.
struct tree {
  std::string root;

  std::string format() const { return root + "/format"; }
  std::string journal() const { return root + "/journal"; }
  std::string lock() const { return root + "/lock"; }
  std::string tmp() const { return root + "/tmp"; }
  std::string incoming() const { return root + "/new"; }
  std::string messages() const { return root + "/msg"; }
  std::string tombstones() const { return root + "/gone"; }
  std::string sync() const { return root + "/sync"; }
  std::string quota() const { return root + "/quota"; }
  /// A new name in tmp/.
  std::string unfinished(bool directory = false) const;

  /// `msg/xx`, where xx are the first two digits of the id.
  std::string shard(std::string_view id) const;
  std::string tombstone_shard(std::string_view id) const;
  std::string tombstone(std::string_view id) const;
};

/// `<id>.ima`, or `<id>` for a message with attachments.
std::string object_name(std::string_view id, bool directory);
/// The id in such a name; nothing where the name is no message's.
std::optional<std::string_view> id_in(std::string_view name) noexcept;
/// 64 hexadecimal digits, or those and `-` and 16 more (a copy named apart).
bool is_id(std::string_view text) noexcept;
/// True for an id that never stands for a delivery.
bool is_apart(std::string_view id) noexcept;

/// `digits` random hexadecimal digits.
std::string random_hex(std::size_t digits);

/// Section 3.3: decided by the `part:` lines alone.
bool is_inline(const part_info& part) noexcept;
bool has_attachments(const header_block& header) noexcept;
/// `2-holiday in Kyoto.jpg`: the part's number and a name made safe (section 3.4).
std::string attachment_name(std::size_t part, std::string_view name);

/// Finds a message's object in `directory`: its path, or nothing, also where a name is that of a
/// message and what it names is not (a file for a directory, a symbolic link is no directory).
struct object {
  std::string path;
  bool directory = false;
  /// The file that begins with the record.
  std::string text() const { return directory ? path + "/message.ima" : path; }
};
result<std::optional<object>> find_object(file_system& files, const std::string& directory,
                                          std::string_view id);

/// Whether it was deleted of late. An old tombstone says nothing: it may be one that had gone, and
/// that a crash brought back after the message was delivered again.
result<bool> was_deleted_of_late(file_system& files, const tree& where, std::string_view id);

/// True where it is there, and its name is on disk: whoever put it there may not have come so far.
result<bool> find_durable(file_system& files, const std::string& directory, std::string_view id);

/// Removes a message's object, in one step for whoever looks: a directory is first renamed into
/// tmp/, and what cannot be removed there is a leftover. No error where it is not there.
result<void> remove_object(file_system& files, const tree& where, const object& what);
/// Removes what is in tmp/, file by file.
result<void> remove_leftover(file_system& files, const object& what);

/// Makes every directory of section 3 that is missing, but the mailbox's own; returns their names
/// in it.
result<std::vector<std::string>> make_directories(file_system& files, const tree& where);

/// Writes what is in a file behind `offset` to another, and syncs that.
result<void> copy_rest(const file& from, std::uint64_t offset, file& to);

/// Makes the directories above a path, as far as that can be.
void make_above(file_system& files, const std::string& path);

/// Opens a file for reading and appending, or only for reading where that is all that can be.
struct readable {
  std::unique_ptr<file> opened;
  bool read_only = false;
};
result<readable> open_or_read(file_system& files, const std::string& path);
/// What was done, where it is no error that nothing can be changed.
result<void> unless_read_only(result<void> done);
/// Whether nothing can be changed, or nothing added, until somebody sees to it.
bool is_put_off(const error& e);

/// Gives a file a second name, or copies it where the file system cannot.
result<void> link_or_copy(file_system& files, const std::string& from, const std::string& to);

}  // namespace ima::mailbox::layout
