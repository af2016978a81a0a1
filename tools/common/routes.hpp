#pragma once

#include "config.hpp"

#include <ima/service/routing.hpp>

namespace ima::tools {

/// Reads `hostparts = [...]` and the table `[routes]`: an address to `{ mailbox = "PATH" }` or
/// `{ command = ["ARGUMENT", ...] }`.
void read_routes(config_table& config, service::routing_table& routes);

}  // namespace ima::tools
