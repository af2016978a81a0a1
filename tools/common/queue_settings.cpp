#include "queue_settings.hpp"

#include "limits.hpp"

#include <chrono>
#include <filesystem>

namespace ima::tools {
namespace {

void read_seconds(config_table& table, std::string_view key, std::chrono::seconds& value) {
  std::chrono::milliseconds written = value;
  table.read(key, written);
  if (written < std::chrono::seconds(1)) return table.reject(key, "must be at least \"1s\"");
  value = std::chrono::duration_cast<std::chrono::seconds>(written);
}

}  // namespace

void read_queue(config_table& config, queue_settings& settings) {
  config.table("queue", [&](config_table& queue) {
    queue.require("path");
    std::filesystem::path path;
    queue.read("path", path);
    settings.path = path.string();
    read_seconds(queue, "first-retry", settings.retry.first);
    read_seconds(queue, "longest-retry", settings.retry.longest);
    read_seconds(queue, "lifetime", settings.retry.lifetime);
    if (settings.retry.lifetime > service::retry_policy::longest_lifetime)
      queue.reject("lifetime",
                   "must be at most \"13d\", as receivers may forget what they have after 14 days");
    read_count(queue, "connections", settings.connections);
    read_count(queue, "connections-per-host", settings.per_host);
  });
}

}  // namespace ima::tools
