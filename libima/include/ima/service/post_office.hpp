#pragma once

#include <ima/address.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/log.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/service/submission.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::service {

/// Knows users and where their mail is. Called from many threads at once. Does the same work for an
/// unknown user as for a wrong proof, and answers both with retrieval::refusal(reason::auth, …).
class IMA_API user_directory {
 public:
  virtual ~user_directory() = default;
  /// The path of the user's mailbox, where the proof holds.
  virtual result<std::string> by_password(std::string_view user, octets password) = 0;
  /// The same for the client certificate of the connection.
  virtual result<std::string> by_certificate(std::string_view user,
                                             const retrieval::certificate_facts& facts) = 0;
  /// Whether the connection of a user may go on who proved himself for this mailbox, by a
  /// certificate or (nothing) by a password. Asked before each request, and a few times a second
  /// while he watches, so it is quick.
  virtual bool admits(std::string_view user, const std::string& mailbox,
                      const std::optional<retrieval::certificate_facts>& proof);
  /// Refusals: auth where the old one is wrong, limit where the new one is too short, unsupported.
  virtual result<void> change_password(std::string_view user, octets old_password,
                                       octets new_password);
  /// What the user may send from.
  virtual std::vector<address> addresses_of(std::string_view user) const;
  /// True where `from` is among these.
  bool may_send_from(std::string_view user, const address& from) const;
};

/// What a post office can do.
struct post_office_options {
  mail_submitter* sender = nullptr;  ///< Not owned; null: nothing can be sent here.
  bool queue = false;                ///< The sender can tell what waits.
  limits bounds;                     ///< Of messages that are appended or sent, and of folders.
  std::chrono::milliseconds watch_interval{400};  ///< How often a watched mailbox is looked at.
  /// The directory that has the mailboxes' indexes, on a disk of this host; empty: each in its
  /// mailbox, which no other host may then serve.
  std::string indexes;
  /// A mailbox that was not used for so long is made searchable, a few messages at a time.
  std::chrono::milliseconds idle{2'000};
  log_sink* log = nullptr;  ///< Not owned, outlives it; hears what mailbox::options::log hears.
};

/// A post office over mailboxes on disk: what a retrieval server calls on its worker threads
/// (docs/retrieval.md). Thread-safe. Disk, users and sender outlive it, and it outlives the
/// accounts it opened.
///
/// Connections to the same mailbox share one mailbox object, so its journal is read once. New mail
/// is taken in when STATUS, CHANGES or SEARCH is asked, and while somebody watches. What came is
/// made searchable when the mailbox is idle, by one thread of the post office's own.
class IMA_API post_office : public retrieval::authenticator {
 public:
  /// See above for what outlives what.
  post_office(mailbox::file_system& disk, user_directory& users, post_office_options options = {});
  ~post_office() override;

  /// The account of a user, proved by a password. Errors: those of the user directory, and as
  /// mailbox::open.
  result<std::unique_ptr<retrieval::account>> by_password(std::string_view user,
                                                          octets password) override;
  /// The account of a user, proved by his certificate. Errors as by_password().
  result<std::unique_ptr<retrieval::account>> by_certificate(
      std::string_view user, const retrieval::certificate_facts& facts) override;
  std::vector<std::string_view> capabilities() const override;

  /// The account of whoever owns the mailbox at `path`, without a proof; it can neither send nor
  /// change a password. Errors as mailbox::open.
  result<std::unique_ptr<retrieval::account>> open(const std::string& path);
  /// The account of a user who was proved elsewhere, by a certificate where there are `facts`, and
  /// whose mailbox is at `path`. Errors as mailbox::open.
  result<std::unique_ptr<retrieval::account>> open(
      std::string_view user, const std::string& path,
      std::optional<retrieval::certificate_facts> facts);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::service
