#pragma once

#include <ima/mailbox/file_system.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

// The journal: the truth for folders, flags and order (docs/mailbox.md section 5).

namespace ima::mailbox {

/// A message is in this folder with these flags; replaces what was said of it before.
struct message_record {
  std::string id;
  std::uint64_t folder = 0;
  std::uint64_t size = 0;
  std::int64_t arrived = 0;  ///< Seconds since 1970.
  std::string flags;         ///< `flagged,seen`, or `-`.
};
struct removal_record {
  std::string id;
};
/// A folder is new, or has a new name.
struct folder_record {
  std::uint64_t number = 0;
  std::string role;
  std::string name;
};
struct folder_removal_record {
  std::uint64_t number = 0;
};

using journal_record =
    std::variant<message_record, removal_record, folder_record, folder_removal_record>;

/// One line with its checksum and LF.
std::string journal_line(std::uint64_t seq, const journal_record& what);
struct journal_entry {
  std::uint64_t seq = 0;
  journal_record what;
};
/// Nothing where the checksum or the grammar does not fit. `line` is without LF.
std::optional<journal_entry> parse_journal_line(std::string_view line);

std::uint32_t crc32(octets text) noexcept;

class journal {
 public:
  /// Writes and syncs a new journal. Error: `file-exists`.
  static result<void> create(file_system& files, const std::string& path, std::uint64_t generation);
  /// Error: `journal-damaged`.
  static result<journal> open(file_system& files, const std::string& path);

  std::uint64_t generation() const noexcept { return generation_; }
  std::uint64_t first_offset() const noexcept { return first_; }
  result<std::uint64_t> size() const { return file_->size(); }

  /// Hands out every whole record from `offset` on. Returns the offset behind the last one. Error
  /// also: `journal-damaged`, where a record behind a damaged one is whole.
  using visitor = std::function<result<void>(const journal_entry&)>;
  result<std::uint64_t> read(std::uint64_t offset, const visitor& visit) const;

  /// Appends and syncs.
  result<void> append(octets lines);
  result<void> cut(std::uint64_t size);

 private:
  std::unique_ptr<file> file_;
  std::uint64_t generation_ = 0;
  std::uint64_t first_ = 0;
};

}  // namespace ima::mailbox
