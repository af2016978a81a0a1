#pragma once

#include <ima/error.hpp>
#include <ima/service/accounts.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace ima::tools {

/// Reads a file of users:
///
///     [users."alice"]
///     password = "scrypt$16384$8$5$…"  # as 'ima-admin user add' makes it
///     mailbox = "mail/alice"           # from the directory of this file
///     keys = ["9f86d0…"]               # SHA-256 of a client certificate's public key
///     issued-certificate = true        # or one that the operator's authority issued for the name
///     addresses = ["alice@a.example"]  # what she may send from
///
/// Errors as read_config().
result<service::accounts> read_users(const std::filesystem::path& file);

/// The users of a file that may be read again while a post office runs. Thread-safe.
class listed_users final : public service::user_directory {
 public:
  explicit listed_users(service::accounts users);

  /// Takes other users from now on.
  void use(service::accounts users);

  result<std::string> by_password(std::string_view user, octets password) override;
  result<std::string> by_certificate(std::string_view user,
                                     const retrieval::certificate_facts& facts) override;

 private:
  std::shared_ptr<service::accounts> now() const;

  mutable std::mutex mutex_;
  std::shared_ptr<service::accounts> users_;  // guarded by mutex_
};

}  // namespace ima::tools
