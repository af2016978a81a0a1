// Routes one message to the mailboxes and commands of its recipients.

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "handlers.hpp"
#include "limits.hpp"
#include "output.hpp"

#include <ima/service/incoming.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace ima;
  constexpr const char* program = "server-handle-incoming-mail";
  CLI::App app("Routes one IMA message to its local recipients.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  std::string path = "-";
  bool check = false;
  app.add_flag("--check", check, "Judge a header block instead, as the header stage does");
  app.add_option("MESSAGE", path, "The message; standard input where it is - or left out");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  tools::handler_settings settings;
  limits bounds;
  const auto read = tools::read_config(arguments.file, [&](tools::config_table& config) {
    tools::read_limits(config, bounds);
    tools::read_local_handler(config, settings);
  });
  if (!read) return tools::complain(program, read.error());
  if (arguments.check_only) return tools::exit_ok;
  settings.local.write_received = false;  // the server that received it has done that
  bounds = service::with_room_for_received(bounds);
  const auto handler = tools::make_handler(settings, bounds);
  const auto peer = service::peer_from_environment();
  const auto print = [](std::string_view line) {
    tools::print("{}\n", line);
    std::fflush(stdout);
  };
  if (check) {
    const auto header = service::read_header(path, bounds);
    if (!header) return tools::complain(program, header.error());
    return service::check_header(*header, *handler, peer, print);
  }
  auto message = service::message_file::open(path, bounds);
  if (!message) return tools::complain(program, message.error());
  return service::handle_message(*message, *handler, peer, print);
}
