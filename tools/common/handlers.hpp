#pragma once

#include "config.hpp"

#include <ima/delivery/handler.hpp>
#include <ima/service/command_handler.hpp>
#include <ima/service/local_handler.hpp>
#include <ima/service/policy_handler.hpp>
#include <ima/service/routing.hpp>

#include <memory>
#include <string>
#include <vector>

namespace ima::tools {

/// What is done with incoming mail.
struct handler_settings {
  service::command_handler_options outside;  ///< Its command is empty for the built-in handler.
  service::local_handler_options local;
  service::policy_options policy;  ///< Its command is empty where there is no policy.
  std::shared_ptr<service::routing_table> routes = std::make_shared<service::routing_table>();
  std::string database;  ///< The file of `routes-database`; empty where there is none.
};

/// Reads what the built-in handler goes by: `hostparts`, `[routes]`, `routes-database`,
/// `send-command`, `command-time`.
void read_local_handler(config_table& config, handler_settings& s);

/// Reads which handler a server has: `handler`, `check-command`, `policy-command`, `policy-for`,
/// and all of read_local_handler().
void read_handler(config_table& config, handler_settings& s);

/// The handler that the settings describe, for messages within `bounds`.
std::shared_ptr<delivery::handler> make_handler(const handler_settings& s, const limits& bounds);

}  // namespace ima::tools
