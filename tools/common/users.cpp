#include "users.hpp"

#include "config.hpp"

#include <ima/retrieval/types.hpp>

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

listed_users::listed_users(service::accounts users)
    : users_(std::make_shared<service::accounts>(std::move(users))) {}

void listed_users::use(service::accounts users) {
  auto fresh = std::make_shared<service::accounts>(std::move(users));
  const std::scoped_lock guard(mutex_);
  users_.swap(fresh);
}

std::shared_ptr<service::accounts> listed_users::now() const {
  const std::scoped_lock guard(mutex_);
  return users_;
}

result<std::string> listed_users::by_password(std::string_view user, octets password) {
  return now()->by_password(user, password);
}

result<std::string> listed_users::by_certificate(std::string_view user,
                                                 const retrieval::certificate_facts& facts) {
  return now()->by_certificate(user, facts);
}

}  // namespace ima::tools
