#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/mirror/download_folder.hpp>
#include <ima/net/retrieval_client.hpp>
#include <ima/retrieval/types.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ima::mirror {

/// A message that mirror::update() brought in, or that mirror::list() found. What is in it comes
/// from strangers.
struct new_message {
  std::string folder;           ///< Where it is.
  std::string id;               ///< At the post office; a copy's is another in the local mailbox.
  std::string verified_domain;  ///< From the post office's record; empty where it proved none.
  std::string from;             ///< The first `from:` line; empty for none.
  std::string subject;          ///< Empty for none.
};

/// What a mirror copies, from where to where, and how.
struct mirror_options {
  std::string path;    ///< The directory of the local mailbox.
  std::string source;  ///< Names the remote mailbox, among others that one directory may mirror.
  std::vector<std::string> folders;  ///< Only these; empty: all.
  bool two_way = false;              ///< Flags, moves and deletions made here go there, too.
  bool delete_after = false;         ///< Messages are deleted there once they are here.
  limits bounds;                     ///< What a header block may hold at most.
};

/// How far a mirror has come with a folder.
struct mirror_progress {
  std::string_view folder;     ///< The folder; lives during the call.
  std::uint64_t messages = 0;  ///< Brought in so far, of all folders.
  std::uint64_t octets = 0;    ///< Of parts, so far, of all folders.
};

/// Makes a local mailbox what the remote one is: messages, folders, flags, moves and deletions go
/// from there to here and, if asked, flags, moves and deletions back. A message is here whole and
/// checked, or not at all; what an interrupted run did is not done again, and a large part goes on
/// where it was broken off. What was never there stays here.
///
/// Where both sides changed a message, the post office's change stays: one that was deleted here
/// and moved there comes back, though one that was deleted here and flagged there is deleted. Where
/// the post office no longer knows our state (refusal `resync`), and what a folder that went held,
/// everything is compared afresh: what is nowhere there any more goes, and what was done here
/// counts. Where the local mailbox no longer knows the state it was left in, as after a repair or
/// compaction, what is missing in it comes again and nothing goes back in this run, which
/// failures() tells. In a mailbox that was emptied there by `delete_after` nothing is ever deleted
/// because it is gone there.
///
/// A folder that was renamed here is another there, to which its messages are moved. What was done
/// here in a folder that was renamed there is done in the renamed one. What a run did here is never
/// taken for a person's work, nor what it sent for the post office's change when it comes back:
/// what is taken back here goes there as well. Each is written down before it begins, beside the
/// mailbox, what was done here until a run with `two_way` over all folders is through, what was
/// sent until the next is.
///
/// Movable; one thread at a time, as the client. Each call waits for the network and for disks.
class IMA_API mirror {
 public:
  /// Takes a message as it comes.
  using on_message = std::function<void(const new_message&)>;
  /// Is told how far it is.
  using on_progress = std::function<void(const mirror_progress&)>;

  /// `remote` is authenticated, `local` the mailbox at `options.path`, `downloads` that of the same
  /// directory. They must outlive the mirror, which remembers in notes of the local mailbox how far
  /// it came (docs/mailbox.md section 3): another one, over another connection, goes on there.
  mirror(net::retrieval_client& remote, mailbox::mailbox& local, download_folder& downloads,
         mirror_options options);
  mirror(mirror&&) noexcept;
  mirror& operator=(mirror&&) noexcept;
  ~mirror();

  /// Calls `report` for each message as it comes, and `progress` as octets come; neither is empty.
  /// Errors: those of the client and the mailbox; fault::temporary `storage`; fault::temporary
  /// `message-unavailable` where more messages cannot be had than can be remembered; fault::peer
  /// `no-progress`; `no-folder`, fault::refused for one that was asked for and is not there, and
  /// fault::temporary for one that was renamed or deleted there meanwhile.
  result<void> update(const on_message& report, const on_progress& progress);
  /// Only reports what is new there, and remembers that it did; brings nothing. Errors as update().
  result<void> list(const on_message& report);
  /// What the last update() or list() could not do, though it did everything else: rule
  /// `message-unavailable`, a message that the post office cannot read or that breaks a rule (the
  /// next run tries it again); `not-sent-back`, a change made here that the post office refused,
  /// or that nobody knows of, as the local mailbox was repaired or compacted, or a folder is
  /// another on both sides. Valid until the next call of update() or list().
  const std::vector<error>& failures() const noexcept;
  /// The states up to which the folders were brought; what to watch from. The inbox is first. Valid
  /// until the next call of update() or list().
  const std::vector<retrieval::watched_folder>& states() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::mirror
