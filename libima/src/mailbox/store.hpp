#pragma once

#include "mailbox/index.hpp"
#include "mailbox/journal.hpp"
#include "mailbox/layout.hpp"
#include "support/try.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <mutex>
#include <string>

namespace ima::mailbox {

/// What changes one mailbox at most at a time; also how many records one append may hold, so that
/// whoever follows a crash finishes no more than this.
inline constexpr std::size_t batch = 512;

/// A mailbox's open files. Every member is called with `mutex` held; those that say so also with
/// the mailbox's lock.
struct mailbox::state {
  file_system& files;
  layout::tree tree;
  std::string index_path;
  std::mutex mutex;
  std::unique_ptr<file> lock_file;
  journal log;
  std::optional<index> cache;
  std::uint64_t torn = 0;  // octets cut off since the last report

  state(file_system& f, std::string root) : files(f), tree{std::move(root)} {}

  /// Runs `work` with the lock held and the index up to date.
  template <class Work>
  auto locked(const Work& work) -> decltype(work()) {
    IMA_CHECK(lock_file->lock());
    const unlock_at_end guard{*lock_file};
    IMA_CHECK(follow());
    return work();
  }

  /// Brings the index up to date for reading; takes the lock only where the journal has grown.
  result<void> refresh();
  /// With the lock: finishes in msg/ what the journal's new records say, then indexes them. The one
  /// way changes happen, and so also the recovery after a crash.
  result<void> follow();
  /// With the lock: makes records durable, then follows them.
  result<void> append(const std::vector<journal_record>& records);

  result<folder_record> folder(std::string_view name);
  /// Where a live message is: in msg/, or still in new/.
  result<std::optional<layout::object>> object_of(std::string_view id);
  std::string token(std::uint64_t seq) const;

 private:
  struct unlock_at_end {
    file& held;
    // A lock that cannot be given back goes with its file.
    ~unlock_at_end() { (void)held.unlock(); }
  };
  class follower;

  result<void> follow_once();
  result<void> rebuild_index();
};

/// A message's text file, its front read: record and header block.
struct stored_text {
  std::unique_ptr<file> text;
  std::string record;
  header_block header;
  std::uint64_t inline_offset = 0;  ///< Where the inline parts begin.
};
/// Error: `message-damaged`.
result<stored_text> open_text(file_system& files, const layout::object& what);

/// Removes a message from msg/ or new/ where it is there.
result<void> remove_from(file_system& files, const std::string& directory, std::string_view id);

}  // namespace ima::mailbox
