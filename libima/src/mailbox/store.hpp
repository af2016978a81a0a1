#pragma once

#include "mailbox/index.hpp"
#include "mailbox/journal.hpp"
#include "mailbox/layout.hpp"
#include "mailbox/small_files.hpp"
#include "support/try.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ima::mailbox {

/// A mailbox's open files. Every member is called with `mutex` held, unless it says otherwise;
/// those that say so also with the mailbox's lock.
struct mailbox::state {
  file_system& files;
  layout::tree tree;
  std::string index_path;
  std::mutex mutex;
  std::unique_ptr<file> lock_file;
  std::optional<journal> log;
  std::optional<index> cache;
  std::optional<std::uint64_t>
      indexed_to;                   // the journal's size where the index was seen at its end
  std::uint64_t torn = 0;           // octets cut off since the last report
  std::optional<error> tail_stays;  // why a torn tail is still there
  std::chrono::milliseconds patience{0};
  bool kept_out = false;       // the last wait for the lock was in vain
  bool put_off = false;        // the last taking in failed for want of room, or of a right
  bool makeshift = false;      // the index is a temporary one, for want of a better
  log_sink* events = nullptr;  // not owned

  state(file_system& f, std::string root) : files(f), tree{std::move(root)} {}

  /// Logs a warning about this mailbox.
  void tell(std::string_view what,
            std::vector<std::pair<std::string_view, std::string>> more) const;

  /// Runs `work` with the lock held and the index up to date.
  template <class Work>
  auto locked(const Work& work) -> decltype(work()) {
    IMA_CHECK(take_lock());
    const unlock_at_end guard{lock_file};
    IMA_CHECK(follow());
    return work();
  }

  /// Runs `work`, which only reads the index, with the index up to date; takes `mutex`. An index
  /// that turns out to be of no use is made again, once.
  template <class Work>
  auto reading(const Work& work) -> decltype(work()) {
    const std::lock_guard guard(mutex);
    IMA_CHECK(refresh());
    auto done = work();
    if (done || done.error().rule != "index") return done;
    IMA_CHECK(renew());
    return work();
  }

  /// Brings the index up to date for reading; takes the lock only where the journal has changed.
  result<void> refresh();
  /// With the lock: finishes in msg/ what the journal's new records say, then indexes them. The one
  /// way changes happen, and so also the recovery after a crash.
  result<void> follow();
  /// Takes the lock: makes the index anew. Where that fails the old one stays.
  result<void> renew();
  /// Takes `mutex`: reads the journal as far as the index has followed it. Error:
  /// `journal-damaged`.
  result<void> verify_journal();
  /// With the lock: makes records durable, then follows them; in as many appends as it takes.
  result<void> append(std::span<const journal_record> records);
  result<void> append(const journal_record& one) { return append(std::span(&one, 1)); }

  result<index::folder_row> folder(std::string_view name);
  /// Where a live message is: in msg/, or still in new/. Needs no mutex.
  result<std::optional<layout::object>> object_of(std::string_view id);
  /// With `mutex`: takes in these from new/, at most one batch; returns how many there were.
  result<std::uint64_t> take_in(const std::vector<std::string>& ids);

  /// A place in the mailbox's history, for one folder; folder 0 for a search.
  struct token {
    std::uint64_t folder = 0;
    std::uint64_t seq = 0;
    std::uint64_t start = 0;
  };
  std::string write(const token& t) const;
  /// Error: `resync`.
  result<token> read_token(std::string_view text, std::uint64_t folder);
  result<std::uint64_t> read_from(std::string_view from);
  /// With the lock: replaces the journal by one that says nothing of the past.
  result<void> compact();
  /// Takes `mutex`: replaces a journal that is damaged where the index has seen it whole.
  result<void> mend_journal();
  /// Makes one slice of messages searchable; true when all are.
  result<bool> make_searchable(std::size_t at_most);
  /// The same, and tries those again whose files could not be read.
  result<bool> read_last_words();
  result<void> read_words_of(const index::unread& message);
  /// Runs `work`, which ends its transaction itself where nothing fails.
  template <class Work>
  auto or_roll_back(const Work& work) -> decltype(work()) {
    auto done = work();
    if (!done) cache->roll_back();
    return done;
  }

  /// Takes `mutex`, again and again.
  class examination;
  /// Works with the lock held.
  class copier;

  /// Takes `mutex`.
  result<std::optional<entry>> find(std::string_view folder, std::string_view id);
  /// Error: fault::refused `quota` where these do not fit.
  result<void> check_room(std::uint64_t messages, std::uint64_t octets);

  /// Takes `mutex`: runs `work` on a message's object; nothing where it is not in the folder.
  template <class Work>
  auto with_message(std::string_view folder, std::string_view id, const Work& work)
      -> std::optional<decltype(work(std::declval<const layout::object&>()))>;

 private:
  struct unlock_at_end {
    std::unique_ptr<file>& held;
    // A lock that cannot be given back goes with its file.
    ~unlock_at_end() {
      if (!held->unlock()) held.reset();
    }
  };
  class follower;

  result<void> append_together(std::span<const journal_record> records);
  result<void> take_lock();
  result<void> wait_for_lock();
  result<bool> lock_is_ours();
  result<void> open_journal();
  bool is_current(const file_status& journal_now);
  result<index> open_index_in_place();
  result<void> open_index();
  result<void> find_index();
  result<void> rebuild_index();
  result<void> follow_once(bool own);
  result<void> renew_beside();
  result<std::string> keep_torn_tail(std::uint64_t end);
  result<void> cut_torn_tail(std::uint64_t end, std::uint64_t size);
  result<void> cut_or_leave(std::uint64_t end, std::uint64_t size);
  result<void> follow(bool own);
  result<void> count(const journal_record& what, std::map<std::string, bool>& known,
                     commit_record& holds);
};

/// A message's text file, its front read: record and header block.
struct stored_text {
  std::shared_ptr<const file> text;
  std::string record;         ///< As it stands there,
  ima::mailbox::record note;  ///< and what it says.
  header_block header;
  std::uint64_t inline_offset = 0;  ///< Where the inline parts begin.
};
/// Error: `message-damaged`.
result<stored_text> open_text(file_system& files, const layout::object& what);

/// Opens one part, counted from 0. Errors: those of file_system.
result<std::unique_ptr<part_source>> open_part_of(file_system& files, const layout::object& what,
                                                  const stored_text& message, std::size_t part);

/// What the journal says of a message when it comes, by its record. Error: `message-damaged`.
result<message_record> describe_message(file_system& files, const layout::object& what,
                                        std::string_view id, index& folders);
/// True for an error that tells of this message alone, not of the file system.
bool concerns_one_message(const error& e);

/// Reads a message whole. Error: `message-damaged`, where a digest is not what the id or a `part:`
/// line says.
result<void> verify_message(file_system& files, const layout::object& what, std::string_view id);

error caller_error(std::string_view rule, std::string_view place, std::string_view text);

}  // namespace ima::mailbox
