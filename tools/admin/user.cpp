// ima-admin user …

#include "commands.hpp"
#include "exit_codes.hpp"
#include "password_file.hpp"
#include "users.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/retrieval/types.hpp>
#include <ima/service/accounts.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace ima::tools::admin {
namespace {

struct new_user {
  std::string name;
  std::string mailbox;
  std::string password_file;
  std::string users_file = "users.toml";
};

// A basic string of TOML.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

result<std::string> read_text(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::string();
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return error{fault::caller, "config-file", file.string(), "cannot be read"};
  return text;
}

// The file is replaced in one step; two at once cannot both make the new one.
result<void> replace(const std::filesystem::path& file, octets text) {
  mailbox::file_system& disk = mailbox::posix_file_system();
  const std::string fresh = file.string() + ".new";
  auto out = disk.create(fresh);
  if (!out) return out.error();
  if (auto good = (*out)->append(text); !good) return good;
  if (auto good = (*out)->sync(); !good) return good;
  if (auto good = disk.rename(fresh, file.string()); !good) return good;
  const auto directory = file.has_parent_path() ? file.parent_path().string() : std::string(".");
  return disk.sync_directory(directory);
}

result<void> check_new(const new_user& user) {
  if (auto good = retrieval::check_user(user.name); !good)
    return error{fault::caller, "user", user.name, "is not a user name"};
  if (!std::filesystem::exists(user.users_file)) return {};
  const auto users = tools::read_users(user.users_file);
  if (!users) return users.error();
  if (users->find(user.name) != nullptr)
    return error{fault::refused, "user-exists", user.users_file, "has this user already"};
  return {};
}

result<void> add_user(const new_user& user) {
  if (auto good = check_new(user); !good) return good;
  const auto password = tools::read_password_file(user.password_file);
  if (!password) return password.error();
  const auto kept = service::password_hash::make(password->view());
  if (!kept) return kept.error();
  auto text = read_text(user.users_file);
  if (!text) return text.error();
  if (!text->empty()) *text += text->ends_with('\n') ? "\n" : "\n\n";
  *text += fmt::format("[users.{}]\npassword = {}\nmailbox = {}\n", toml_text(user.name),
                       toml_text(kept->text()), toml_text(user.mailbox));
  return replace(user.users_file, *text);
}

void add_user_options(CLI::App& command, new_user& user) {
  command.add_option("NAME", user.name, "The user's name")->required();
  command
      .add_option("--mailbox", user.mailbox, "His mailbox, from the directory of the users file")
      ->required();
  command.add_option("--password-file", user.password_file, "His password; '-' is standard input")
      ->required();
  command.add_option("--users", user.users_file, "The file of users")->capture_default_str();
}

}  // namespace

void add_user_commands(CLI::App& app, action& chosen) {
  CLI::App* subject = app.add_subcommand("user", "Users of the post office")->require_subcommand(1);
  CLI::App* add = subject->add_subcommand("add", "Add a user");
  const auto user = std::make_shared<new_user>();
  add_user_options(*add, *user);
  add->callback([user, &chosen] {
    chosen = [user]() -> int {
      const auto added = add_user(*user);
      return added ? exit_ok : complain(program, added.error());
    };
  });
}

}  // namespace ima::tools::admin
