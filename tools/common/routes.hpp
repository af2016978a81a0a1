#pragma once

#include "config.hpp"

#include <ima/service/routing.hpp>

namespace ima::tools {

/// Reads `hostparts = [...]`, `routes-database` and the table `[routes]`: an address, or "@host"
/// for all others there, to `{ mailbox = "PATH" }`, `{ command = ["ARGUMENT", ...] }` or
/// `{ alias = ["ADDRESS", ...] }`.
void read_routes(config_table& config, service::routing_table& routes);

}  // namespace ima::tools
