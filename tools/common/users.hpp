#pragma once

#include <ima/error.hpp>
#include <ima/log.hpp>
#include <ima/service/accounts.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::tools {

/// Reads a file of users:
///
///     [users."alice"]
///     password = "scrypt$8192$8$10$…"  # as 'ima-admin user add' makes it
///     mailbox = "mail/alice"           # from the directory of this file
///     keys = ["9f86d0…"]               # SHA-256 of a client certificate's public key
///     issued-certificate = true        # or one that the operator's authority issued for the name
///     addresses = ["alice@a.example"]  # what she may send from
///
/// Errors as read_config().
result<service::accounts> read_users(const std::filesystem::path& file);

/// The users of a file, which may change while a post office runs: before each proof, and each time
/// it is asked whether a user may go on, it is looked at, and read again where it is another. A
/// file that cannot be read changes nothing but the log. Passwords that cost a guesser less than
/// they do now, and those that users change, are written back. Thread-safe.
class listed_users final : public service::user_directory {
 public:
  /// Errors as read_users(). `log` outlives it and may be null.
  static result<std::unique_ptr<listed_users>> open(std::filesystem::path file, log_sink* log);

  /// Reads the file again, whatever it looks like. Errors as read_users().
  result<void> reload();

  result<std::string> by_password(std::string_view user, octets password) override;
  result<std::string> by_certificate(std::string_view user,
                                     const retrieval::certificate_facts& facts) override;
  bool admits(std::string_view user, const std::string& mailbox,
              const std::optional<retrieval::certificate_facts>& proof) override;
  result<void> change_password(std::string_view user, octets old_password,
                               octets new_password) override;
  std::vector<address> addresses_of(std::string_view user) const override;

 private:
  // What tells one state of the file from another.
  struct sight {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const sight&, const sight&) = default;
  };

  listed_users(std::filesystem::path file, log_sink* log) : file_(std::move(file)), log_(log) {}
  sight look() const;
  std::shared_ptr<service::accounts> now() const;
  std::shared_ptr<service::accounts> fresh();
  result<void> keep(std::string_view user, const service::password_hash& old,
                    const service::password_hash& password);
  void strengthen(service::accounts& users, std::string_view user, octets password);
  void log(log_level level, std::string_view name, std::string_view user, const error* why) const;

  const std::filesystem::path file_;
  log_sink* const log_;
  mutable std::mutex mutex_;
  std::shared_ptr<service::accounts> users_;  // guarded by mutex_
  sight seen_;                                // guarded by mutex_
};

}  // namespace ima::tools
