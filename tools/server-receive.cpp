// Receives mail from other servers and gives it to the built-in handler.

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "limits.hpp"
#include "log.hpp"
#include "reload.hpp"
#include "routes.hpp"
#include "tls_settings.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/net/delivery_server.hpp>
#include <ima/service/local_handler.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace {

using namespace ima;

constexpr const char* program = "server-receive";

struct settings {
  net::delivery_server_options server;
  tls::context_options tls;
  service::routing_table routes;
  tools::watched_files watched;
};

result<void> read_settings(const std::string& file, settings& s) {
  s.watched.files.insert(file);
  return tools::read_config(file, [&](tools::config_table& config) {
    config.require("listen");
    config.read("listen", s.server.listen);
    tools::read_server_limits(config, s.server);
    tools::read_routes(config, s.routes);
    tools::read_server_tls(config, s.tls, s.watched);
  });
}

// Takes up changed certificates.
result<void> reload(const std::string& file, net::delivery_server& server,
                    tools::watched_files& read, log_sink& log) {
  settings fresh;
  const auto good = read_settings(file, fresh);
  read = fresh.watched;
  if (!good) return good;
  const auto context = tls::context::create(fresh.tls);
  if (!context) return context.error();
  server.use(*context);
  tools::log_certificates(*context, log);
  return {};
}

int serve(const std::string& file, settings& s, tools::stderr_log& log) {
  auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  service::local_handler_options handling;
  handling.bounds = s.server.bounds;
  service::local_handler handler(mailbox::posix_file_system(), s.routes, handling);
  auto server = net::delivery_server::create(s.server, *context, handler);
  if (!server) return tools::complain(program, server.error());
  for (const std::string& where : server->addresses())
    log.write({log_level::info, "listening", {{"address", where}}});
  tools::log_certificates(*context, log);
  const tools::reload_watch watch(
      [&] { server->stop(); },
      [&](tools::watched_files& read) { return reload(file, *server, read, log); }, s.watched, log);
  server->run();
  log.write({log_level::info, "stopped", {}});
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  tools::block_watched_signals();
  CLI::App app("Receives IMA mail from other servers.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  app.get_option("--config")->required();
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  tools::stderr_log log;
  settings s;
  s.server.log = &log;
  if (auto good = read_settings(arguments.file, s); !good)
    return tools::complain(program, good.error());
  return arguments.check_only ? tools::exit_ok : serve(arguments.file, s, log);
}
