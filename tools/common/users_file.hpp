#pragma once

#include <ima/error.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ima::tools {

/// A file of users (read_users()) while it is edited: one editor at a time, whoever reads it sees
/// the old file or the new one whole, and comments stay where they are. What would not be read back
/// is never written. Movable.
///
///     auto file = users_file::open(path);
///     file->set("alice", "password", toml_text(hash));
///     file->commit();
class users_file {
 public:
  /// Waits for the lock that editors hold, a file of the same name with `.lock` and the same owner;
  /// it goes with the object. A file that does not exist is empty. Errors: fault::caller
  /// `config-file`; fault::temporary `storage`; those of read_users().
  static result<users_file> open(const std::filesystem::path& path);
  users_file(users_file&& other) noexcept;
  users_file& operator=(users_file&&) = delete;
  ~users_file();

  bool has(std::string_view user) const;
  /// The text that is the value of a key; nothing where it is not there, or no text.
  std::optional<std::string> get(std::string_view user, std::string_view key) const;

  /// Error: fault::refused `user-exists`.
  result<void> add(std::string_view user);
  /// Error for this and the next: fault::refused `no-user`; fault::caller `users-form` for a user
  /// who is not a `[users."name"]` table of his own.
  result<void> remove(std::string_view user);
  /// Gives a key this value, which is TOML; an empty one takes the key out.
  result<void> set(std::string_view user, std::string_view key, std::string_view value);

  /// Checks the new text as read_users() does and puts it in place of the old, keeping mode, owner
  /// and group. Durable when it returns. Errors: those of read_users(); fault::temporary `storage`.
  result<void> commit();

 private:
  users_file(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  result<void> write(const std::filesystem::path& fresh) const;

  std::filesystem::path path_;
  int lock_;
  std::string text_;
};

/// A basic string of TOML.
std::string toml_text(std::string_view text);

}  // namespace ima::tools
