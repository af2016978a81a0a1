#pragma once

#include <ima/date.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/log.hpp>
#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/entry.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/quota.hpp>
#include <ima/mailbox/search.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ima::mailbox {

/// A folder, and what is in it.
struct folder {
  std::string name;            ///< UTF-8, hierarchical with `/`.
  std::string role;            ///< inbox, sent, drafts, archive, junk, trash, or empty.
  std::uint64_t messages = 0;  ///< How many.
  std::uint64_t unseen = 0;    ///< How many without the flag `seen`.
  std::uint64_t size = 0;      ///< Octets of all messages.
};

/// What status() tells of one folder.
struct folder_status {
  std::uint64_t messages = 0;  ///< How many.
  std::uint64_t unseen = 0;    ///< How many without the flag `seen`.
  std::uint64_t size = 0;      ///< Octets of all messages.
  std::string token;           ///< The state now.
};

/// What changed in a folder, up to a limit.
struct change_page {
  std::vector<entry> entries;  ///< As each message is now, in the order of their last change.
  std::string token;           ///< The state after this page.
  bool more = false;           ///< Another page can be had at once from `token`.
};

/// What is kept of a message before its parts.
struct stored_header {
  std::string record;   ///< The server's own record, as its octets.
  header_block header;  ///< What the sender wrote; proves nothing.
};

/// What set_flags() does to each message.
struct flag_change {
  std::vector<std::string> add;              ///< Flags to set.
  std::vector<std::string> remove;           ///< Flags to clear.
  std::optional<std::uint64_t> only_if_seq;  ///< Leave alone what changed after this seq.
};

/// What became of one message: `gone` is one that is not in the folder, `changed` one that was left
/// alone because of flag_change::only_if_seq.
enum class outcome : std::uint8_t { done, gone, changed };

/// What recover() or check() found. recover() puts right what is counted; what is named it cannot.
/// repair() makes what is absent, too.
struct report {
  std::uint64_t torn = 0;        ///< Octets of a torn journal tail that were cut off.
  std::uint64_t unfinished = 0;  ///< Leftovers of deliveries in tmp/, older than 36 hours.
  std::uint64_t strays = 0;      ///< Message files that no journal record names.
  std::uint64_t tombstones = 0;  ///< Tombstones older than 15 days.
  // At most a thousand of each:
  std::vector<std::string> missing;     ///< Ids that the journal names and no file holds.
  std::vector<std::string> unreadable;  ///< Ids in new/ that cannot be taken in.
  std::vector<std::string> odd;         ///< Names in new/ or msg/ that are no message's.
  std::vector<std::string> absent;      ///< Directories of the mailbox that are not there.
  std::vector<std::string> damaged;     ///< Ids whose content is not what it was (check() alone).
};

/// Octets of one part. Stays readable until destroyed, even where the message is deleted (between
/// hosts with the exception of docs/mailbox.md section 2) or the mailbox object destroyed. Many
/// threads may read.
class IMA_API part_source {
 public:
  virtual ~part_source() = default;
  /// Octets.
  virtual std::uint64_t size() const noexcept = 0;
  /// Fills `into` from `offset`; returns how many octets, less than asked only at the end. Errors:
  /// those of file_system.
  virtual result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const = 0;
};

/// A message being stored by its own user. Destroying it before commit() removes what it began.
/// Movable; one thread at a time; the mailbox outlives it.
class IMA_API appending {
 public:
  appending(appending&&) noexcept;
  appending& operator=(appending&&) noexcept;
  ~appending();
  /// Takes the next slice of the message's body_reader. Errors as delivery::write().
  result<void> write(const part_slice& slice);
  /// Makes it durable and takes it in; called once. Where the folder went meanwhile it is in inbox.
  /// Errors: those of the mailbox; fault::caller `delivery-incomplete`.
  result<entry> commit();

 private:
  friend class mailbox;
  struct state;
  explicit appending(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// Where a mailbox keeps what can be made again.
struct options {
  std::string index;  ///< Path of the index, on a local disk; empty: `index` in the mailbox.
  /// Hears `journal-torn` where a torn tail is cut off, `index-temporary` where no index can be at
  /// its place, `take-in-failed` from try_take_in(). Not owned, outlives the mailbox; may be null.
  log_sink* log = nullptr;
  /// How long a call waits for the lock that others have before it ends with `mailbox-busy`.
  std::chrono::milliseconds patience{5000};
  /// False: opening tries the lock once, for whoever has just waited in vain.
  bool wait_to_open = true;
};

/// Where the index of the mailbox at `path` is among all those that a host keeps in `directory`.
/// Paths that lead to the same mailbox lead to the same index.
IMA_API std::string index_in(const std::string& directory, const std::string& path);

/// A mailbox as a post office or a reader sees it (docs/mailbox.md). All calls are safe from many
/// threads (they wait for each other); any number of objects, processes and hosts may have the same
/// mailbox open. What changes something is durable when it returns. The file system outlives it.
///
/// Errors: those of file_system; fault::caller `no-folder`, `no-message`, `no-part`,
/// `folder-name`, `folder-exists`, `folder-role`, `folder-in-use`, `flag`, `resync`,
/// `mailbox-exists`, `sync-state`, `search-text`; fault::refused `quota`;
/// fault::temporary `index`, `index-busy`, `mailbox-busy`, `journal-damaged`, `message-damaged`,
/// `mailbox-format`, `quota-damaged` (docs/mailbox.md section 12).
class IMA_API mailbox {
 public:
  /// Makes an empty mailbox with the folder `inbox`. The directory itself may exist. Error:
  /// `mailbox-exists`, also where only its `format` is missing.
  static result<void> create(file_system& files, const std::string& path);
  /// Opens a mailbox that is there; its index is made where there is none.
  static result<mailbox> open(file_system& files, const std::string& path, options o = {});
  mailbox(mailbox&&) noexcept;
  mailbox& operator=(mailbox&&) noexcept;
  ~mailbox();

  /// Takes in what was delivered; returns how many messages came.
  result<std::uint64_t> take_in();
  /// The same for whoever only wants to see what is there: where the disk is full, or nothing can
  /// be changed, what was delivered goes on waiting, and the log is told once.
  result<void> try_take_in();

  /// All folders, by name.
  result<std::vector<folder>> folders();
  /// Makes a folder. Errors: `folder-name`, `folder-exists`, `folder-role`.
  result<void> create_folder(std::string_view name, std::string_view role = {});
  /// Messages and tokens stay. Errors: `no-folder`, `folder-exists`, `folder-in-use` (inbox).
  result<void> rename_folder(std::string_view name, std::string_view to);
  /// Gives the folder this role, or none where it is empty. Inbox keeps its own.
  result<void> set_folder_role(std::string_view name, std::string_view role);
  /// The folder must be empty, and not inbox.
  result<void> delete_folder(std::string_view name);

  /// How much is in a folder, and its state.
  result<folder_status> status(std::string_view folder);

  /// The limits, and what the folders hold now.
  result<quota_status> quota();
  /// Keeps other limits; 0 is none. What is over them already stays.
  result<void> set_quota(const quota_limits& limits);

  /// Up to `limit` entries after `token` (`0`: the whole folder). Error: `resync`.
  result<change_page> changes(std::string_view folder, std::string_view token, std::size_t limit);
  /// Nothing where the message is not in the folder.
  result<std::optional<entry>> find(std::string_view folder, std::string_view id);
  /// Where a message is now, and as it is there; nothing where it is in no folder.
  result<std::optional<search_hit>> locate(std::string_view id);
  /// The newest message in the folder with this digest, delivered, appended or copied.
  result<std::optional<entry>> find(std::string_view folder, const digest& message);
  /// A message's header block and record; nothing where it is not in the folder.
  result<std::optional<stored_header>> header(std::string_view folder, std::string_view id);
  /// `part` counts from 1. Errors: `no-folder`, `no-message`, `no-part`.
  result<std::unique_ptr<part_source>> open_part(std::string_view folder, std::string_view id,
                                                 std::uint64_t part);

  /// Begins to store a message as a copy named apart: it never stands for a delivery. The note says
  /// folder and flags. Errors also: `record-text`; `quota` where there is no room.
  result<appending> append(const header_block& header, const record& note);

  /// Messages for which every condition holds, newest first, from one folder or, with an empty
  /// name, from all. At most `limit`, beginning behind `from` (empty: at the newest, otherwise
  /// search_page::next). Makes searchable what is not yet, in slices that let others in between, at
  /// most 1024 messages; while more are left the page is empty and has a next one.
  result<search_page> search(std::string_view folder, const query& what, std::string_view from,
                             std::size_t limit);
  /// Makes up to `at_most` more messages searchable; true when all are. For idle times.
  result<bool> make_searchable(std::size_t at_most);

  /// Closes its files; the next use opens them again. For a mailbox that is kept and not used.
  void rest();

  // A request for many messages is looked at as a whole: one that is refused has changed nothing.
  // One that fails otherwise (`disk-full`, `storage`) may have been done in part. An id that is
  // named twice is gone the second time, where it was moved or removed.

  /// One outcome for each id, in order. Error also: `flag`, where a message would have more
  /// than 64.
  result<std::vector<outcome>> set_flags(std::string_view folder, std::span<const std::string> ids,
                                         const flag_change& what);
  /// To another folder; ids stay. One outcome for each id, in order.
  result<std::vector<outcome>> move(std::string_view folder, std::string_view target,
                                    std::span<const std::string> ids);
  /// For good; one outcome for each id, in order.
  result<std::vector<outcome>> remove(std::string_view folder, std::span<const std::string> ids);
  /// Lets messages come again by delivery though they were deleted of late.
  result<void> forget_deletion(std::span<const std::string> ids);
  /// The copies' ids, in order; empty where the message is not in the folder. Where it fails no
  /// copy stays behind, unless the store fails at that, too. Error also: `quota`.
  result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                        std::span<const std::string> ids);

  /// A small durable note of a client's (a server's state token, by remote folder); empty where
  /// there is none. Not in the index: deleting that loses none. `name` has 1 to 100 octets.
  result<std::string> sync_state(std::string_view name);
  /// Keeps the note that sync_state() tells; empty removes it. Error: `sync-state` where the name
  /// is empty, or it or the value (of up to 65,536 octets) too long.
  result<void> set_sync_state(std::string_view name, octets value);

  /// Puts right what crashes left behind. Reads every file name in the mailbox, a 256th of them at
  /// a time, and lets others in between.
  result<report> recover();
  /// The same without changing anything. With `contents` it also reads every message whole and
  /// verifies its digests. Reads the journal from its beginning. Error also: `journal-damaged`.
  result<report> check(bool contents = false);
  /// Makes the index anew from the journal. Where that fails the old one stays.
  result<void> rebuild();
  /// Writes the journal anew, with a line for each folder and message and none of the past, which
  /// otherwise only grows. All state tokens are `resync` then. Others may have the mailbox open;
  /// they wait, and are told `mailbox-busy` where it takes long.
  result<void> compact();
  /// Makes the directories that are missing, and `format` where the journal is there, as a backup
  /// may have left them out. Recovers; and where the journal is damaged or names messages that no
  /// file holds, writes a new one before: from the lines of the old that are whole, in order, and
  /// from the messages in msg/ that none of them names. The old one stays beside it as
  /// `journal.damaged-` and digits. All state tokens are `resync` then, and what only damaged lines
  /// said (flags, moves, deletions) is lost. Others may have the mailbox open; it begins when it
  /// has the lock, however long that takes, and waits again as options::patience says. Errors:
  /// those of file_system, `index`, `index-busy`, `mailbox-busy`, `mailbox-format`.
  static result<report> repair(file_system& files, const std::string& path, options o = {});

 private:
  friend class appending;
  struct state;
  explicit mailbox(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::mailbox
