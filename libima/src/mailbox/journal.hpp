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

/// Ends an append of so many lines before this one; what all folders hold after it.
struct commit_record {
  std::uint64_t lines = 0;
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
};

using journal_record = std::variant<message_record, removal_record, folder_record,
                                    folder_removal_record, commit_record>;

/// How many lines one append may hold beside its `c` line, so that whoever follows a crash finishes
/// no more than this; also what else is done at a time.
inline constexpr std::size_t batch = 512;

/// The first line, with its LF.
std::string journal_front(std::uint64_t generation);
/// One line with its checksum and LF.
std::string journal_line(std::uint64_t seq, const journal_record& what);
struct journal_entry {
  std::uint64_t seq = 0;
  journal_record what;
  std::uint32_t checksum = 0;
};
/// Nothing where the checksum or the grammar does not fit. `line` is without LF.
std::optional<journal_entry> parse_journal_line(std::string_view line);

std::uint32_t crc32(octets text) noexcept;

/// The error of a journal that is not what it was at this octet.
error journal_damaged(std::uint64_t offset);

/// A place between two appends.
struct journal_place {
  std::uint64_t offset = 0;
  std::uint64_t seq = 0;       ///< Of the last line before it.
  std::uint32_t checksum = 0;  ///< Of the same.
  commit_record holds;         ///< What it says.
};

class journal {
 public:
  /// Writes and syncs a new journal. Error: `file-exists`.
  static result<void> create(file_system& files, const std::string& path, std::uint64_t generation);
  /// Only for reading where it cannot be changed. Error: `journal-damaged`.
  static result<journal> open(file_system& files, const std::string& path);

  std::uint64_t generation() const noexcept { return generation_; }
  /// True where nothing can be appended, as it could be opened only for reading.
  bool read_only() const noexcept { return read_only_; }
  /// Which file it is (file_status::identity).
  std::uint64_t identity() const noexcept { return identity_; }
  journal_place first() const noexcept { return {first_, 0, 0, {}}; }
  result<std::uint64_t> size() const { return file_->size(); }

  /// False where what stands before this place is not what stood there once.
  result<bool> continues(const journal_place& place) const;

  /// Hands out the records of every whole append behind `from`, and returns the place behind the
  /// last. Reads to `end` at most. Error also: `journal-damaged`, where what is behind that place
  /// is no torn tail (section 5).
  using visitor = std::function<result<void>(const journal_entry&)>;
  result<journal_place> read(const journal_place& from, const visitor& visit,
                             std::uint64_t end = UINT64_MAX) const;
  /// Reads from the beginning what an index has followed `until` there. Error: `journal-damaged`.
  result<void> verify(const journal_place& until) const;
  /// Writes all that is behind `offset` to another file, and syncs that.
  result<void> copy_tail(std::uint64_t offset, file& to) const;

  /// Appends lines and syncs.
  result<void> append(octets lines);
  result<void> sync() { return file_->sync(); }
  result<void> cut(std::uint64_t size);

 private:
  std::unique_ptr<file> file_;
  std::uint64_t generation_ = 0;
  std::uint64_t identity_ = 0;
  std::uint64_t first_ = 0;
  bool read_only_ = false;
};

/// Hands out every line that is whole, in order, whatever is between them; for repairs.
result<void> read_whole_lines(const file& from, const journal::visitor& visit);

/// What the mailbox holds after the last whole append. Reads the journal's end alone, without the
/// lock. Errors: those of file_system, `journal-damaged`.
result<commit_record> last_commit(file_system& files, const std::string& path);

}  // namespace ima::mailbox
