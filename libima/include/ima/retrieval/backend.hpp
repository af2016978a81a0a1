#pragma once

#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/message.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What stands behind a post office. A server calls these on its worker threads, never on an event
// loop, so they may block and sync. An authenticator is called from many threads at once; an
// account belongs to one connection and is called by one thread at a time, but several accounts of
// the same user exist at once. What they are given lives during the call. They must not throw: what
// is thrown all the same (std::bad_alloc) ends the connection.
//
// Errors whose rule is a word of docs/retrieval.md section 7 (make them with refusal()) reach the
// user as that word; every other error reaches him as `storage` or `internal`, its text only the
// log.

namespace ima::retrieval {

/// What the TLS layer knows of the client's certificate.
struct certificate_facts {
  digest key;  ///< SHA-256 of the SubjectPublicKeyInfo (DER).
  std::vector<std::string>
      operator_ca_names;  ///< User names in it, where the operator's CA signed.
};

/// Octets of one part of one message. The message stays readable until it is destroyed, even where
/// it is deleted meanwhile.
class part_source {
 public:
  virtual ~part_source() = default;
  /// Octets.
  virtual std::uint64_t size() const noexcept = 0;
  /// Fills `into` from `offset`; returns how many octets, less than asked only at the end.
  virtual result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
};

/// A message that is being put into a folder. Destroying it before commit() leaves nothing behind.
class message_sink {
 public:
  virtual ~message_sink() = default;
  /// The next slice of the message's body_reader.
  virtual result<void> write(const part_slice& slice) = 0;
  /// Makes it durable and visible; returns its id.
  virtual result<std::string> commit() = 0;
};

/// A message that is being sent. Destroying it before finish() sends nothing.
class submission {
 public:
  virtual ~submission() = default;

  /// What became of a message that was sent to the same recipients before.
  struct report {
    std::vector<recipient_outcome> outcomes;  ///< One for each recipient, as they were told then.
    send_end end;                             ///< Their sum.
  };
  /// Null where it was not; otherwise the body does not move, and finish() is not called. The
  /// report lives as long as the submission.
  virtual const report* known() const noexcept { return nullptr; }

  /// The next slice of the message's body_reader; parts that the user has already come here, too.
  virtual result<void> write(const part_slice& slice) = 0;
  /// Takes what became of a recipient.
  using tell_outcome = std::function<void(const recipient_outcome&)>;
  /// Takes a remark for people; `host` may be empty.
  using tell_note = std::function<void(std::string_view host, std::string_view text)>;
  /// Sends and tells what becomes of it as it happens, on any thread, one call at a time, and none
  /// after it returned. Blocks until all is known. Then does what send_options says. Not called
  /// where known() is not null.
  virtual result<send_end> finish(const tell_outcome& outcome, const tell_note& note) = 0;
};

/// A watch over folders; destroying it ends it, and no call comes after that.
class subscription {
 public:
  virtual ~subscription() = default;
};

/// One authenticated user's mail. What docs/retrieval.md calls a capability may be left out: those
/// members answer refusal(reason::unsupported, …) unless overridden.
class IMA_API account {
 public:
  virtual ~account() = default;

  /// False once the user may not go on, as he was removed or his proof counts no more. Asked before
  /// each of his requests; his connection ends then.
  virtual bool may_go_on() { return true; }

  /// All folders.
  virtual result<std::vector<folder_info>> folders() = 0;
  /// Takes in new mail first. Refusal: no_folder.
  virtual result<folder_status> status(std::string_view folder) = 0;
  /// At most `page` lines after `token`. Refusals: no_folder, resync.
  virtual result<change_page> changes(std::string_view folder, std::string_view token,
                                      std::uint64_t page) = 0;
  /// Nothing where the message is not in the folder.
  virtual result<std::optional<stored_header>> header(std::string_view folder,
                                                      std::string_view id) = 0;
  /// `part` counts from 1. Refusals: no_folder, no_message, no_part.
  virtual result<std::unique_ptr<part_source>> open_part(std::string_view folder,
                                                         std::string_view id,
                                                         std::uint64_t part) = 0;

  /// The following are durable when they return; one outcome for each id, in order.
  virtual result<std::vector<message_outcome>> flag(std::string_view folder,
                                                    std::span<const std::string> ids,
                                                    const flag_change& what) = 0;
  /// For good.
  virtual result<std::vector<message_outcome>> remove(std::string_view folder,
                                                      std::span<const std::string> ids) = 0;
  /// Ids stay.
  virtual result<std::vector<message_outcome>> move(std::string_view folder,
                                                    std::string_view target,
                                                    std::span<const std::string> ids) = 0;
  /// The copies' ids, in order; empty where the message is not in the folder.
  virtual result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                                std::span<const std::string> ids) = 0;

  /// Refusals: no_folder, folder_exists, folder_role, folder_in_use, limit.
  virtual result<void> create_folder(std::string_view folder, std::string_view role);
  /// Messages and tokens stay.
  virtual result<void> rename_folder(std::string_view folder, std::string_view target);
  /// Only an empty one, and never the inbox.
  virtual result<void> delete_folder(std::string_view folder);
  /// Refusals: no_folder, quota.
  virtual result<std::unique_ptr<message_sink>> append(const append_target& what,
                                                       const header_block& header);
  /// Refusals: from, recipients, quota, no_folder, no_message, in_progress. The parts that
  /// send_options::parts names have been looked at.
  virtual result<std::unique_ptr<submission>> send(const send_options& options,
                                                   const header_block& header);
  /// At most `page` ids; an empty cursor asks for the first. Refusals: no_folder, resync.
  virtual result<search_page> search(std::string_view folder, std::string_view cursor,
                                     std::uint64_t page, const search_query& query);
  /// Of the whole mailbox.
  virtual result<quota_status> quota();
  /// Refusals: auth where the old one is wrong, limit where the new one is not good enough.
  virtual result<void> change_password(octets old_password, octets new_password);
  /// Takes the state that a watched folder has now.
  using tell_change = std::function<void(const watched_folder& now)>;
  /// Calls `tell` on any thread, also before it returns, whenever a folder is no longer in the
  /// state that was told last, first in that of its token; calls `over` in the same way, once,
  /// when may_go_on() has become false. Both are quick, and neither is empty. Ends when the
  /// subscription is destroyed, which the account outlives. Refusals: limit, unsupported.
  virtual result<std::unique_ptr<subscription>> watch(std::span<const watched_folder> folders,
                                                      tell_change tell, std::function<void()> over);
  /// What the user sent and waits.
  virtual result<std::vector<queued_message>> queue();
};

/// Decides who a user is (docs/retrieval.md section 5.1). Does the same work for an unknown user as
/// for a wrong password, and answers both with refusal(reason::auth, …). Outlives its accounts.
class authenticator {
 public:
  virtual ~authenticator() = default;
  /// Refusals: auth, busy.
  virtual result<std::unique_ptr<account>> by_password(std::string_view user, octets password) = 0;
  /// By the client certificate of the connection. Refusals: auth, busy.
  virtual result<std::unique_ptr<account>> by_certificate(std::string_view user,
                                                          const certificate_facts& facts) = 0;
  /// What its accounts can do beyond the members that have no default, in the words of namespace
  /// capability; for the greeting.
  virtual std::vector<std::string_view> capabilities() const { return {}; }
};

}  // namespace ima::retrieval
