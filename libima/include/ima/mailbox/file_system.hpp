#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// The one seam between a mailbox and the disk (the SQLite index, a cache, apart). Tests replace it
// by one that records, fails, or forgets what was not synced.
//
// Every error is fault::temporary with one of these rules (docs/mailbox.md section 12):
// `file-exists`, `file-missing`, `file-link` (the file system cannot make this hard link),
// `file-unreadable` (this one file cannot be read: no right to, not a plain file, a bad block),
// `disk-full`, `read-only` (a file system that is, or no right to change this), `storage`
// (everything else).

namespace ima::mailbox {

/// An open file. Destroying it closes it, and its lock goes with it. One thread at a time, apart
/// from read_at(), which many threads may call.
class IMA_API file {
 public:
  virtual ~file() = default;
  /// Writes all of `text` at the end.
  virtual result<void> append(octets text) = 0;
  /// Fills `into` from `offset`; returns how many octets, less than asked only at the end.
  virtual result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const = 0;
  /// Octets.
  virtual result<std::uint64_t> size() const = 0;
  /// As file_status::identity.
  virtual result<std::uint64_t> identity() const = 0;
  /// What was written is on disk when this returns.
  virtual result<void> sync() = 0;
  /// Makes `when` its modification time; what is written afterwards changes it again. By default
  /// it stays as it is.
  virtual result<void> set_changed(std::chrono::sys_seconds when) {
    (void)when;
    return {};
  }
  /// Cuts the file off at `size`.
  virtual result<void> truncate(std::uint64_t size) = 0;
  /// Waits for the exclusive lock (flock(2)) and gives it back.
  virtual result<void> lock() = 0;
  /// Gives back what lock() or try_lock() took.
  virtual result<void> unlock() = 0;
  /// Takes the lock if nobody has it; false where somebody does. By default it waits.
  virtual result<bool> try_lock() {
    if (auto locked = lock(); !locked) return std::move(locked).error();
    return true;
  }
};

/// What is known of a file without opening it.
struct file_status {
  bool directory = false;  ///< It is a directory.
  std::uint64_t size = 0;  ///< Octets; means nothing for a directory.
  std::chrono::sys_time<std::chrono::nanoseconds> changed{};  ///< Modification time.
  std::uint64_t identity = 0;  ///< Another for each file; stays when it is renamed.
};

/// Files, directories and the clock. Safe to use from many threads. Outlives the files it opened.
class IMA_API file_system {
 public:
  virtual ~file_system() = default;

  /// Opens a plain file for reading; follows no symbolic link.
  virtual result<std::unique_ptr<file>> open(const std::string& path) = 0;
  /// Opens for reading and appending; makes the file where there is none.
  virtual result<std::unique_ptr<file>> open_append(const std::string& path) = 0;
  /// Makes a new file with mode 0600. Error also: `file-exists`.
  virtual result<std::unique_ptr<file>> create(const std::string& path) = 0;
  /// Makes a directory with mode 0700. Error also: `file-exists`.
  virtual result<void> make_directory(const std::string& path) = 0;
  /// Gives a file another name (link(2)). Errors also: `file-exists`, `file-link`.
  virtual result<void> link(const std::string& from, const std::string& to) = 0;
  /// Replaces a file at `to`; `file-exists` where `to` is a directory that is not empty.
  virtual result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file's name. Error also: `file-missing`.
  virtual result<void> unlink(const std::string& path) = 0;
  /// Removes an empty directory. Error also: `file-missing`.
  virtual result<void> remove_directory(const std::string& path) = 0;
  /// Follows no symbolic link. Nothing where there is no such file.
  virtual result<std::optional<file_status>> status(const std::string& path) = 0;
  /// Calls `each` for every name, in no order, without "." and ".."; ends at its first error. Names
  /// that come or go meanwhile may be left out.
  virtual result<void> list(const std::string& path,
                            const std::function<result<void>(const std::string&)>& each) = 0;
  /// The names in this directory are on disk when this returns.
  virtual result<void> sync_directory(const std::string& path) = 0;
  /// The wall clock, to the second.
  virtual std::chrono::sys_seconds now() = 0;
};

/// The real thing. Lives as long as the program.
IMA_API file_system& posix_file_system();

}  // namespace ima::mailbox
