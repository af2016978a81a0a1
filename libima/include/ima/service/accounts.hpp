#pragma once

#include <ima/address.hpp>
#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/service/post_office.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::service {

/// How much work a guess at a password costs; scrypt's parameters (RFC 7914). Memory is about
/// 128·n·r octets: 8 MiB by default, so that a post office stays small while users prove
/// themselves.
struct scrypt_cost {
  std::uint64_t n = 1U << 13U;  ///< A power of two.
  std::uint64_t r = 8;          ///< Block size; memory and time grow with it.
  std::uint64_t p = 10;         ///< Repetitions; time grows with it.
  friend bool operator==(const scrypt_cost&, const scrypt_cost&) = default;
};

/// A password as it is kept: "scrypt$n$r$p$salt$hash", salt and hash in hexadecimal. A value;
/// immutable, so many threads may use one. make() and matches() take as long as scrypt_cost says.
class IMA_API password_hash {
 public:
  /// Hashes with a fresh random salt. Errors: fault::caller, rule `password-cost`;
  /// fault::temporary, rule `password-work` (no memory, no randomness).
  static result<password_hash> make(octets password, const scrypt_cost& cost = {});
  /// Errors: fault::caller, rules `password-hash` (its form) and `password-cost` (parameters that
  /// are not scrypt's, or ask for more than 256 MiB or a p over 16).
  static result<password_hash> parse(std::string_view text);

  /// As it is written down; parse() reads it.
  std::string text() const;
  /// Compares in constant time. Error: fault::temporary, rule `password-work`.
  result<bool> matches(octets password) const;
  /// True where a guess costs less than `cost`: hash the password again when it is next known.
  bool weaker_than(const scrypt_cost& cost) const noexcept;

 private:
  password_hash() = default;
  scrypt_cost cost_;
  std::array<std::uint8_t, 16> salt_{};
  std::array<std::uint8_t, 32> hash_{};
};

/// A user of the post office.
struct user_account {
  std::string mailbox;                    ///< Path.
  std::optional<password_hash> password;  ///< Nothing: he may not prove himself by one.
  std::vector<digest> keys;               ///< Client keys: SHA-256 of their SubjectPublicKeyInfo.
  bool operator_certificate = false;  ///< A certificate that the operator issued for him will do.
  std::vector<address> addresses;     ///< What he may send from.
};

/// The users of a post office. Filled, then only read; reading is thread-safe.
class IMA_API accounts : public user_directory {
 public:
  /// `cost` is what a proof for an unknown user costs; new passwords should cost the same.
  explicit accounts(const scrypt_cost& cost = {}) : cost_(cost) {}

  /// The least a new password has, in octets.
  static constexpr std::size_t shortest_password = 8;

  /// Errors: fault::caller, rule `account`, for a name that is taken, empty or has a space or
  /// control in it, or an account without a mailbox.
  result<void> add(std::string_view user, user_account account);
  /// The account, or null. It lives as long as the accounts.
  const user_account* find(std::string_view user) const;
  /// Calls `what` for every user, by name.
  void each(const std::function<void(std::string_view user, const user_account&)>& what) const;

  /// By his password's hash. Errors also: fault::temporary, rule `password-work`.
  result<std::string> by_password(std::string_view user, octets password) override;
  /// By a listed key, or a name that the operator's own authority signed.
  result<std::string> by_certificate(std::string_view user,
                                     const retrieval::certificate_facts& facts) override;
  /// True where he is listed with this mailbox and could still prove himself in this way.
  bool admits(std::string_view user, const std::string& mailbox,
              const std::optional<retrieval::certificate_facts>& proof) override;
  std::vector<address> addresses_of(std::string_view user) const override;

  /// The hash of a new password for a user who knows the old one; who keeps the accounts writes it
  /// down. Refusals as change_password(); errors as password_hash::make().
  result<password_hash> new_password(std::string_view user, octets old_password,
                                     octets new_password);
  /// Where the user's password is kept by less work than costs now: what to keep in its place.
  /// `password` has just proved him. Errors as password_hash::make().
  result<std::optional<password_hash>> stronger(std::string_view user, octets password) const;

 private:
  scrypt_cost cost_;
  std::map<std::string, user_account, std::less<>> users_;
};

}  // namespace ima::service
