#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/backend.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace ima::service {

/// Knows users and where their mail is. Called from many threads at once. Does the same work for an
/// unknown user as for a wrong proof, and answers both with retrieval::refusal(reason::auth, …).
class user_directory {
 public:
  virtual ~user_directory() = default;
  /// The path of the user's mailbox, where the proof holds.
  virtual result<std::string> by_password(std::string_view user, octets password) = 0;
  virtual result<std::string> by_certificate(std::string_view user,
                                             const retrieval::certificate_facts& facts) = 0;
};

/// A post office over mailboxes on disk: what a retrieval server calls on its worker threads
/// (docs/retrieval.md). Thread-safe. Disk and users outlive it, and it outlives the accounts it
/// opened.
///
/// Connections to the same mailbox share one mailbox object, so its journal is read once. New mail
/// is taken in when STATUS or CHANGES is asked.
class IMA_API post_office : public retrieval::authenticator {
 public:
  post_office(mailbox::file_system& disk, user_directory& users) : disk_(disk), users_(users) {}

  result<std::unique_ptr<retrieval::account>> by_password(std::string_view user,
                                                          octets password) override;
  result<std::unique_ptr<retrieval::account>> by_certificate(
      std::string_view user, const retrieval::certificate_facts& facts) override;

  /// The account of whoever owns the mailbox at `path`, without a proof. Errors as mailbox::open.
  result<std::unique_ptr<retrieval::account>> open(const std::string& path);

 private:
  // One mailbox and its opening: whoever waits for it keeps nobody else from his.
  struct shared_mailbox {
    std::mutex mutex;
    std::weak_ptr<mailbox::mailbox> mail;  // guarded by mutex
  };
  std::shared_ptr<shared_mailbox> find(const std::string& path);

  mailbox::file_system& disk_;
  user_directory& users_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<shared_mailbox>> mailboxes_;  // guarded by mutex_
};

}  // namespace ima::service
