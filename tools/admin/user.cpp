// ima-admin user …

#include "commands.hpp"
#include "exit_codes.hpp"
#include "output.hpp"
#include "password_file.hpp"
#include "users.hpp"
#include "users_file.hpp"

#include <ima/retrieval/types.hpp>
#include <ima/service/accounts.hpp>
#include <ima/service/compose.hpp>
#include <ima/small_file.hpp>
#include <ima/tls/identity.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace ima::tools::admin {
namespace {

// What the subcommands are given; each uses its own part.
struct request {
  std::string users_file = "users.toml";
  std::string name;
  std::string mailbox;
  std::string password_file;
  bool no_password = false;
  std::vector<std::string> add;     // certificates' files, or addresses
  std::vector<std::string> remove;  // keys, or addresses
  std::string issued;               // "yes", "no", or as it is
};

std::string toml_list(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  std::ranges::transform(texts, std::back_inserter(quoted), toml_text);
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

// Opens the file, changes it, and puts it in place.
template <class Change>
result<void> edit(const request& r, const Change& change) {
  auto file = users_file::open(r.users_file);
  if (!file) return file.error();
  if (auto good = change(*file); !good) return good;
  return file->commit();
}

result<std::string> hash_of(const std::string& password_path) {
  const auto password = read_password_file(password_path);
  if (!password) return password.error();
  if (password->view().size() < service::accounts::shortest_password)
    return error{
        fault::caller, "config-value", password_path,
        fmt::format("a password has at least {} octets", service::accounts::shortest_password)};
  const auto kept = service::password_hash::make(password->view());
  if (!kept) return kept.error();
  return toml_text(kept->text());
}

result<std::string> key_of(const std::string& certificate) {
  const auto pem = read_small_file(certificate, "no-input");
  if (!pem) return pem.error();
  const auto facts = tls::read_certificate(*pem);
  if (!facts) return error{fault::peer, facts.error().rule, certificate, facts.error().text};
  return facts->key.hex();
}

result<std::string> address_of(const std::string& text) {
  auto read = service::address_from_person(text);
  if (!read) return error{fault::caller, read.error().rule, text, read.error().text};
  return std::string(read->addr.text());
}

// The list as it is, without what goes, with what comes.
template <class Read>
result<std::vector<std::string>> changed(std::vector<std::string> list, const request& r,
                                         const Read& read) {
  for (const std::string& one : r.remove)
    if (std::erase(list, one) == 0)
      return error{fault::refused, "not-listed", one, "the user does not have it"};
  for (const std::string& text : r.add) {
    auto one = read(text);
    if (!one) return one.error();
    if (std::ranges::find(list, *one) == list.end()) list.push_back(*std::move(one));
  }
  return list;
}

result<service::user_account> find(const request& r) {
  const auto users = read_users(r.users_file);
  if (!users) return users.error();
  const auto* const user = users->find(r.name);
  if (user == nullptr) return error{fault::refused, "no-user", r.name, "no such user"};
  return *user;
}

result<void> add_user(const request& r) {
  if (auto good = retrieval::check_user(r.name); !good)
    return error{fault::caller, "user", r.name, "is not a user name"};
  std::string password;
  if (!r.password_file.empty()) {
    auto kept = hash_of(r.password_file);
    if (!kept) return kept.error();
    password = *std::move(kept);
  }
  const auto addresses = changed({}, r, address_of);
  if (!addresses) return addresses.error();
  return edit(r, [&](users_file& file) -> result<void> {
    if (auto good = file.add(r.name); !good) return good;
    if (!addresses->empty())
      if (auto good = file.set(r.name, "addresses", toml_list(*addresses)); !good) return good;
    if (auto good = file.set(r.name, "mailbox", toml_text(r.mailbox)); !good) return good;
    return password.empty() ? result<void>() : file.set(r.name, "password", password);
  });
}

result<void> remove_user(const request& r) {
  return edit(r, [&](users_file& file) { return file.remove(r.name); });
}

result<void> set_password(const request& r) {
  if (r.no_password == !r.password_file.empty())
    return error{fault::caller, "arguments", "user password", "--password-file or --none"};
  std::string value;
  if (!r.no_password) {
    auto kept = hash_of(r.password_file);
    if (!kept) return kept.error();
    value = *std::move(kept);
  }
  return edit(r, [&](users_file& file) { return file.set(r.name, "password", value); });
}

result<void> set_certificates(const request& r) {
  return edit(r, [&](users_file& file) -> result<void> {
    const auto user = find(r);  // read under the lock
    if (!user) return user.error();
    std::vector<std::string> keys;
    for (const digest& key : user->keys) keys.push_back(key.hex());
    const auto list = changed(std::move(keys), r, key_of);
    if (!list) return list.error();
    if (auto good = file.set(r.name, "keys", list->empty() ? "" : toml_list(*list)); !good)
      return good;
    if (r.issued.empty()) return {};
    return file.set(r.name, "issued-certificate", r.issued == "yes" ? "true" : "");
  });
}

result<void> set_addresses(const request& r) {
  return edit(r, [&](users_file& file) -> result<void> {
    const auto user = find(r);
    if (!user) return user.error();
    std::vector<std::string> addresses;
    for (const address& a : user->addresses) addresses.emplace_back(a.text());
    const auto list = changed(std::move(addresses), r, address_of);
    if (!list) return list.error();
    return file.set(r.name, "addresses", list->empty() ? "" : toml_list(*list));
  });
}

// NAME MAILBOX PROOFS ADDRESSES, one user a line; `-` where there is none.
void print(std::string_view name, const service::user_account& user) {
  std::vector<std::string> proofs;
  if (user.password) proofs.emplace_back("password");
  if (!user.keys.empty()) proofs.push_back(fmt::format("keys={}", user.keys.size()));
  if (user.operator_certificate) proofs.emplace_back("issued-certificate");
  std::vector<std::string> addresses;
  for (const address& a : user.addresses) addresses.emplace_back(a.text());
  const auto list = [](const std::vector<std::string>& words) {
    return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ","));
  };
  tools::print("{} {} {} {}\n", printable(name), printable(user.mailbox), list(proofs),
               list(addresses));
}

result<void> list_users(const request& r) {
  const auto users = read_users(r.users_file);
  if (!users) return users.error();
  users->each([](std::string_view name, const service::user_account& user) { print(name, user); });
  return {};
}

struct command {
  CLI::App& app;
  std::shared_ptr<request> asked = std::make_shared<request>();
};

// A subcommand that calls `act`; every one has --users.
command add_command(CLI::App& subject, action& chosen, const std::string& name,
                    const std::string& help, result<void> (*act)(const request&)) {
  const command made{*subject.add_subcommand(name, help)};
  const auto asked = made.asked;
  made.app.add_option("--users", asked->users_file, "The file of users")->capture_default_str();
  made.app.callback([asked, act, &chosen] {
    chosen = [asked, act]() -> int {
      const auto done = act(*asked);
      return done ? exit_ok : complain(program, done.error());
    };
  });
  return made;
}

CLI::App& with_name(const command& c) {
  c.app.add_option("NAME", c.asked->name, "The user's name")->required();
  return c.app;
}

}  // namespace

void add_user_commands(CLI::App& app, action& chosen) {
  CLI::App& all = *app.add_subcommand("user", "Users of the post office")->require_subcommand(1);
  const command add = add_command(all, chosen, "add", "Add a user", add_user);
  with_name(add)
      .add_option("--mailbox", add.asked->mailbox, "His mailbox, from the users file's directory")
      ->required();
  add.app.add_option("--password-file", add.asked->password_file,
                     "His password; '-' is standard input");
  add.app.add_option("--address", add.asked->add, "An address he may send from; once for each");

  with_name(add_command(all, chosen, "remove", "Remove a user; his mailbox stays", remove_user));

  const command password =
      add_command(all, chosen, "password", "Change a user's password", set_password);
  with_name(password).add_option("--password-file", password.asked->password_file,
                                 "The new one; '-' is standard input");
  password.app.add_flag("--none", password.asked->no_password, "He proves himself otherwise");

  const command certificate = add_command(
      all, chosen, "certificate", "Change which certificates prove a user", set_certificates);
  with_name(certificate)
      .add_option("--add", certificate.asked->add, "A certificate's PEM file: its key proves him");
  certificate.app.add_option("--remove", certificate.asked->remove,
                             "A key's SHA-256, as the file of users has it");
  certificate.app
      .add_option("--issued", certificate.asked->issued,
                  "Whether one that the operator's authority issued for his name will do")
      ->check(CLI::IsMember({"yes", "no"}));

  const command address =
      add_command(all, chosen, "address", "Change what a user may send from", set_addresses);
  with_name(address).add_option("--add", address.asked->add, "An address");
  address.app.add_option("--remove", address.asked->remove, "An address");

  add_command(all, chosen, "list", "Show the users", list_users);
}

}  // namespace ima::tools::admin
