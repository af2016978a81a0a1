#include "routes.hpp"

#include <ima/address.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace ima::tools {
namespace {

void read_route(std::string_view key, config_table& one, service::routing_table& routes) {
  service::route entry;
  std::filesystem::path mailbox;
  one.read("mailbox", mailbox);
  one.read("command", entry.command);
  entry.mailbox = mailbox.string();
  const auto recipient = address::parse(key);
  if (!recipient) return one.reject("mailbox", recipient.error().text);
  if (auto added = routes.add(*recipient, std::move(entry)); !added)
    one.reject("mailbox", added.error().text);
}

}  // namespace

void read_routes(config_table& config, service::routing_table& routes) {
  std::vector<std::string> hostparts;
  config.read("hostparts", hostparts);
  for (const std::string& written : hostparts) {
    const auto hostpart = hostpart_from_unicode(written);
    if (!hostpart) return config.reject("hostparts", "\"" + written + "\" is not a hostpart");
    routes.add_host(*hostpart);
  }
  config.table("routes", [&](config_table& table) {
    table.each_table(
        [&](std::string_view key, config_table& one) { read_route(key, one, routes); });
  });
}

}  // namespace ima::tools
