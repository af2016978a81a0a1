#include "routes.hpp"

#include <ima/address.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace ima::tools {
namespace {

void read_alias(config_table& one, service::route& entry) {
  std::vector<std::string> members;
  one.read("alias", members);
  for (const std::string& written : members) {
    auto member = address::parse(written);
    if (!member) return one.reject("alias", member.error().text);
    entry.alias.push_back(*std::move(member));
  }
}

// "bob@b.example", or "@b.example" for all others there.
result<void> add(std::string_view key, service::route entry, service::routing_table& routes) {
  if (key.starts_with('@')) {
    auto host = hostpart_from_unicode(key.substr(1));
    if (!host) return host.error();
    return routes.add_catch_all(*host, std::move(entry));
  }
  auto recipient = address::parse(key);
  if (!recipient) return recipient.error();
  return routes.add(*recipient, std::move(entry));
}

void read_route(std::string_view key, config_table& one, service::routing_table& routes) {
  service::route entry;
  std::filesystem::path mailbox;
  one.read("mailbox", mailbox);
  one.read("command", entry.command);
  read_alias(one, entry);
  entry.mailbox = mailbox.string();
  if (auto added = add(key, std::move(entry), routes); !added)
    one.reject("mailbox", added.error().text);
}

void read_database(config_table& config, service::routing_table& routes, std::string& database) {
  std::filesystem::path path;
  config.read("routes-database", path);
  database = path.string();
  if (database.empty()) return;
  auto opened = service::open_route_database(database);
  if (!opened) return config.reject("routes-database", opened.error().text);
  routes.add_source(*std::move(opened));
}

}  // namespace

void read_routes(config_table& config, service::routing_table& routes, std::string& database) {
  std::vector<std::string> hostparts;
  config.read("hostparts", hostparts);
  for (const std::string& written : hostparts) {
    const auto hostpart = hostpart_from_unicode(written);
    if (!hostpart) return config.reject("hostparts", hostpart.error().text);
    routes.add_host(*hostpart);
  }
  read_database(config, routes, database);
  config.table("routes", [&](config_table& table) {
    table.each_table(
        [&](std::string_view key, config_table& one) { read_route(key, one, routes); });
  });
  if (auto good = routes.check(); !good)
    config.reject("routes", good.error().place + ": " + good.error().text);
}

}  // namespace ima::tools
