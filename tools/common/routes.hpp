#pragma once

#include "config.hpp"

#include <ima/service/routing.hpp>

#include <string>

namespace ima::tools {

/// Reads `hostparts = [...]`, `routes-database` and the table `[routes]`: an address, or "@host"
/// for all others there, to `{ mailbox = "PATH" }`, `{ command = ["ARGUMENT", ...] }` or
/// `{ alias = ["ADDRESS", ...] }`. `database` is set to the file of the former, if there is one.
void read_routes(config_table& config, service::routing_table& routes, std::string& database);

}  // namespace ima::tools
