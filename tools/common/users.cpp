#include "users.hpp"

#include "config.hpp"
#include "users_file.hpp"

#include <ima/retrieval/types.hpp>

#include <sys/stat.h>

#include <utility>
#include <vector>

namespace ima::tools {
namespace {

void read_password(config_table& config, service::user_account& user) {
  std::string kept;
  config.read("password", kept);
  if (kept.empty()) return;
  auto password = service::password_hash::parse(kept);
  if (!password) return config.reject("password", password.error().text);
  user.password = *std::move(password);
}

void read_keys(config_table& config, service::user_account& user) {
  std::vector<std::string> written;
  config.read("keys", written);
  for (const std::string& hex : written) {
    const auto key = digest::parse(hex);
    if (!key) return config.reject("keys", "must be SHA-256 values of 64 hexadecimal digits");
    user.keys.push_back(*key);
  }
}

void read_addresses(config_table& config, service::user_account& user) {
  std::vector<std::string> written;
  config.read("addresses", written);
  for (const std::string& text : written) {
    auto one = address::parse(text);
    if (!one) return config.reject("addresses", one.error().text);
    user.addresses.push_back(*std::move(one));
  }
}

service::user_account read_user(config_table& config) {
  service::user_account user;
  read_password(config, user);
  config.require("mailbox");
  std::filesystem::path mailbox;
  config.read("mailbox", mailbox);
  user.mailbox = mailbox.string();
  read_keys(config, user);
  config.read("issued-certificate", user.operator_certificate);
  read_addresses(config, user);
  return user;
}

}  // namespace

result<service::accounts> read_users(const std::filesystem::path& file) {
  service::accounts users;
  const auto good = read_config(file, [&](config_table& config) {
    config.table("users", [&](config_table& all) {
      all.each_table([&](std::string_view name, config_table& one) {
        if (!retrieval::check_user(name)) return all.reject(name, "is not a user name");
        const auto added = users.add(name, read_user(one));
        if (!added) all.reject(name, added.error().text);
      });
    });
  });
  if (!good) return good.error();
  return users;
}

result<std::unique_ptr<listed_users>> listed_users::open(std::filesystem::path file,
                                                         log_sink* log) {
  std::unique_ptr<listed_users> made(new listed_users(std::move(file), log));
  if (auto good = made->reload(); !good) return good.error();
  return made;
}

listed_users::sight listed_users::look() const {
  struct stat facts {};
  if (::stat(file_.c_str(), &facts) != 0) return {};
  return {facts.st_ino, static_cast<std::uint64_t>(facts.st_size), facts.st_mtim.tv_sec,
          facts.st_mtim.tv_nsec};
}

// The look comes first: a change after it is found by the next one.
result<void> listed_users::reload() {
  const sight there = look();
  auto read = read_users(file_);
  const std::scoped_lock guard(mutex_);
  seen_ = there;
  if (!read) return read.error();
  users_ = std::make_shared<service::accounts>(*std::move(read));
  return {};
}

std::shared_ptr<service::accounts> listed_users::now() const {
  const std::scoped_lock guard(mutex_);
  return users_;
}

std::shared_ptr<service::accounts> listed_users::fresh() {
  const sight there = look();
  bool changed = false;
  {
    const std::scoped_lock guard(mutex_);
    changed = there != seen_;
  }
  if (changed) {
    const auto good = reload();
    log(good ? log_level::info : log_level::error, good ? "users-read" : "users-refused", "",
        good ? nullptr : &good.error());
  }
  return now();
}

void listed_users::log(log_level level, std::string_view name, std::string_view user,
                       const error* why) const {
  if (log_ == nullptr) return;
  log_event event{level, name, {}};
  if (!user.empty()) event.fields.emplace_back("user", std::string(user));
  if (why != nullptr) event.fields.emplace_back("text", why->message());
  log_->write(event);
}

// Puts a password in place of the one that was there when it was made; another editor's stays.
result<void> listed_users::keep(std::string_view user, const service::password_hash& old,
                                const service::password_hash& password) {
  auto file = users_file::open(file_);
  if (!file) return file.error();
  if (file->get(user, "password") != old.text())
    return error{fault::temporary, "storage", std::string(user), "the password was just changed"};
  if (auto set = file->set(user, "password", toml_text(password.text())); !set) return set;
  return file->commit();
}

// A password that cannot be written back is as good as before.
void listed_users::strengthen(service::accounts& users, std::string_view user, octets password) {
  const auto better = users.stronger(user, password);
  if (better && !*better) return;
  const auto kept =
      better ? keep(user, *users.find(user)->password, **better) : result<void>(better.error());
  log(kept ? log_level::info : log_level::warning,
      kept ? "password-strengthened" : "password-not-strengthened", user,
      kept ? nullptr : &kept.error());
}

result<std::string> listed_users::by_password(std::string_view user, octets password) {
  const auto users = fresh();
  auto path = users->by_password(user, password);
  if (path) strengthen(*users, user, password);
  return path;
}

result<std::string> listed_users::by_certificate(std::string_view user,
                                                 const retrieval::certificate_facts& facts) {
  return fresh()->by_certificate(user, facts);
}

bool listed_users::admits(std::string_view user, const std::string& mailbox,
                          const std::optional<retrieval::certificate_facts>& proof) {
  return fresh()->admits(user, mailbox, proof);
}

result<void> listed_users::change_password(std::string_view user, octets old_password,
                                           octets new_password) {
  const auto users = fresh();
  auto made = users->new_password(user, old_password, new_password);
  if (!made) return made.error();
  return keep(user, *users->find(user)->password, *made);
}

std::vector<address> listed_users::addresses_of(std::string_view user) const {
  return now()->addresses_of(user);
}

}  // namespace ima::tools
