// Routes one message to the mailboxes and commands of its recipients.

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "routes.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/service/incoming.hpp>
#include <ima/service/local_handler.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace ima;
  constexpr const char* program = "server-handle-incoming-mail";
  CLI::App app("Routes one IMA message to its local recipients.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  app.get_option("--config")->required();
  std::string path = "-";
  app.add_option("MESSAGE", path, "The message; standard input where it is - or left out");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  service::routing_table routes;
  service::local_handler_options options;
  const auto read = tools::read_config(arguments.file, [&](tools::config_table& config) {
    config.read_octets("max-size", options.bounds.body);
    tools::read_routes(config, routes);
  });
  if (!read) return tools::complain(program, read.error());
  if (arguments.check_only) return tools::exit_ok;
  auto message = service::message_file::open(path, options.bounds);
  if (!message) return tools::complain(program, message.error());
  service::local_handler handler(mailbox::posix_file_system(), routes, options);
  return service::handle_message(*message, handler, service::peer_from_environment(),
                                 [](std::string_view line) {
                                   fmt::print("{}\n", line);
                                   std::fflush(stdout);
                                 });
}
