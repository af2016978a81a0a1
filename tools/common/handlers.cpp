#include "handlers.hpp"

#include "routes.hpp"

#include <ima/mailbox/file_system.hpp>

#include <utility>

namespace ima::tools {
namespace {

void read_policy(config_table& config, service::policy_options& policy) {
  config.read("policy-command", policy.command);
  std::string whom = "all";
  config.read("policy-for", whom);
  if (whom != "all" && whom != "mailer")
    config.reject("policy-for", "must be \"all\" or \"mailer\"");
  policy.only_with_mailer = whom == "mailer";
}

}  // namespace

void read_local_handler(config_table& config, handler_settings& s) {
  read_routes(config, *s.routes, s.database);
  config.read("send-command", s.local.send_command);
  config.read("command-time", s.local.command_time);
  s.outside.command_time = s.local.command_time;
  if (s.routes->leads_elsewhere() && s.local.send_command.empty())
    config.reject("routes", "an alias leads to another host, which needs a send-command");
}

void read_handler(config_table& config, handler_settings& s) {
  std::vector<std::string> handler{"builtin"};
  config.read_words("handler", handler);
  if (handler.empty()) config.reject("handler", "must be \"builtin\" or a command");
  const bool builtin = handler == std::vector<std::string>{"builtin"};
  if (!builtin) s.outside.command = std::move(handler);
  config.read("check-command", s.outside.check_command);
  if (builtin && !s.outside.check_command.empty())
    config.reject("check-command", "belongs to a handler that is a command");
  read_local_handler(config, s);
  if (!builtin && !s.routes->empty())
    config.reject("routes", "belong to the settings of the handler command");
  read_policy(config, s.policy);
}

std::shared_ptr<delivery::handler> make_handler(const handler_settings& s, const limits& bounds) {
  std::shared_ptr<delivery::handler> made;
  if (s.outside.command.empty()) {
    auto options = s.local;
    options.bounds = bounds;
    made = std::make_shared<service::local_handler>(mailbox::posix_file_system(), s.routes,
                                                    std::move(options));
  } else {
    auto options = s.outside;
    options.bounds = bounds;
    made = std::make_shared<service::command_handler>(std::move(options));
  }
  if (s.policy.command.empty()) return made;
  return std::make_shared<service::policy_handler>(std::move(made), s.policy);
}

}  // namespace ima::tools
