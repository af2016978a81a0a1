#pragma once

#include <ima/date.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ima::mailbox {

struct folder {
  std::string name;  ///< UTF-8, hierarchical with `/`.
  std::string role;  ///< inbox, sent, drafts, archive, junk, trash, or empty.
};

struct folder_status {
  std::uint64_t messages = 0;
  std::uint64_t unseen = 0;
  std::uint64_t size = 0;  ///< Octets of all messages.
  std::string token;       ///< The state now.
};

struct entry {
  std::string id;
  std::uint64_t seq = 0;   ///< Grows with every change in the mailbox.
  std::uint64_t size = 0;  ///< Octets: header block and parts.
  std::vector<std::string> flags;
  std::chrono::sys_seconds arrived{};
  bool gone = false;  ///< It left the folder; only `id` and `seq` are set.
};

struct change_page {
  std::vector<entry> entries;
  std::string token;  ///< The state after this page.
  bool more = false;
};

struct stored_header {
  std::string record;  ///< The server's own record, as its octets.
  header_block header;
};

struct flag_change {
  std::vector<std::string> add;
  std::vector<std::string> remove;
  std::optional<std::uint64_t> only_if_seq;  ///< Leave alone what changed after this seq.
};

enum class outcome : std::uint8_t { done, gone, changed };

/// What recover() or check() found; every number but `missing` and `torn` was put right by
/// recover().
struct report {
  std::uint64_t torn = 0;            ///< Octets of a torn journal tail that were cut off.
  std::uint64_t unfinished = 0;      ///< Leftovers of deliveries in tmp/.
  std::uint64_t strays = 0;          ///< Message files that no journal record names.
  std::uint64_t tombstones = 0;      ///< Tombstones older than 14 days.
  std::vector<std::string> missing;  ///< Ids that the journal names and no file holds.
};

/// Octets of one part. Stays readable until destroyed, even where the message is deleted.
class IMA_API part_source {
 public:
  virtual ~part_source() = default;
  virtual std::uint64_t size() const noexcept = 0;
  virtual result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const = 0;
};

struct options {
  std::string index;  ///< Path of the index, on a local disk; empty: `index` in the mailbox.
};

/// A mailbox as a post office or a reader sees it (docs/mailbox.md). All calls are safe from many
/// threads (they wait for each other); any number of objects, processes and hosts may have the same
/// mailbox open. What changes something is durable when it returns. The file system outlives it.
///
/// Errors: those of file_system; fault::caller `no-folder`, `no-message`, `no-part`,
/// `folder-name`, `folder-exists`, `folder-role`, `folder-in-use`, `flag`, `resync`,
/// `mailbox-exists`, `sync-state`;
/// fault::temporary `index`, `journal-damaged`, `message-damaged`, `mailbox-format`.
class IMA_API mailbox {
 public:
  /// Makes an empty mailbox with the folder `inbox`. The directory itself may exist.
  static result<void> create(file_system& files, const std::string& path);
  static result<mailbox> open(file_system& files, const std::string& path, options o = {});
  mailbox(mailbox&&) noexcept;
  mailbox& operator=(mailbox&&) noexcept;
  ~mailbox();

  /// Takes in what was delivered; returns how many messages came.
  result<std::uint64_t> take_in();

  result<std::vector<folder>> folders();
  result<void> create_folder(std::string_view name, std::string_view role = {});
  result<void> rename_folder(std::string_view name, std::string_view to);
  /// The folder must be empty, and not inbox.
  result<void> delete_folder(std::string_view name);

  result<folder_status> status(std::string_view folder);
  /// Up to `limit` entries after `token` (`0`: the whole folder). Error: `resync`.
  result<change_page> changes(std::string_view folder, std::string_view token, std::size_t limit);
  /// Nothing where the message is not in the folder.
  result<std::optional<entry>> find(std::string_view folder, std::string_view id);
  result<std::optional<stored_header>> header(std::string_view folder, std::string_view id);
  /// `part` counts from 1.
  result<std::unique_ptr<part_source>> open_part(std::string_view folder, std::string_view id,
                                                 std::uint64_t part);

  /// One outcome for each id, in order.
  result<std::vector<outcome>> set_flags(std::string_view folder, std::span<const std::string> ids,
                                         const flag_change& what);
  result<std::vector<outcome>> move(std::string_view folder, std::string_view target,
                                    std::span<const std::string> ids);
  result<std::vector<outcome>> remove(std::string_view folder, std::span<const std::string> ids);
  /// The copies' ids, in order; empty where the message is not in the folder.
  result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                        std::span<const std::string> ids);

  /// A small durable note of a client's (a server's state token, by remote folder); empty where
  /// there is none. Not in the index: deleting that loses none. `name` has up to 100 octets.
  result<std::string> sync_state(std::string_view name);
  result<void> set_sync_state(std::string_view name, octets value);

  /// Puts right what crashes left behind. Reads every file name in the mailbox.
  result<report> recover();
  /// The same without changing anything.
  result<report> check();

 private:
  struct state;
  explicit mailbox(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::mailbox
