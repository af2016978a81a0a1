// Receives mail from other servers and gives it to a handler, built in or a command.

#include "config.hpp"
#include "exit_codes.hpp"
#include "handlers.hpp"
#include "limits.hpp"
#include "log.hpp"
#include "reload.hpp"
#include "server_main.hpp"
#include "tls_settings.hpp"

#include <ima/net/delivery_server.hpp>
#include <ima/service/event_counters.hpp>
#include <ima/service/handler_switch.hpp>

namespace {

using namespace ima;

constexpr const char* program = "server-receive";

struct settings {
  net::delivery_server_options server;
  tls::context_options tls;
  tools::handler_settings handler;
  tools::watched_files watched;
};

result<void> read_settings(const std::string& file, settings& s) {
  s.watched.files.insert(file);
  return tools::read_config(file, [&](tools::config_table& config) {
    config.require("listen");
    config.read("listen", s.server.listen);
    config.read("metrics", s.server.metrics_listen);
    tools::read_count(config, "commands", s.server.commands);
    if (s.server.commands > 1000) config.reject("commands", "must be from 1 to 1000");
    tools::read_server_limits(config, s.server);
    tools::read_handler(config, s.handler);
    if (!s.handler.database.empty()) s.watched.databases.insert(s.handler.database);
    tools::read_server_tls(config, s.tls, s.watched);
  });
}

// What a server is made with once and for all.
void log_what_needs_a_restart(const settings& now, const settings& fresh, log_sink& log) {
  const auto& a = now.server;
  const auto& b = fresh.server;
  tools::log_restart(log, {{"listen", a.listen != b.listen},
                           {"metrics", a.metrics_listen != b.metrics_listen},
                           {"workers", a.workers != b.workers},
                           {"commands", a.commands != b.commands}});
}

// Takes up changed certificates, limits, handlers and routes, all or nothing.
result<void> reload(const std::string& file, const settings& first, net::delivery_server& server,
                    service::handler_switch& handler, tools::watched_files& read, log_sink& log) {
  settings fresh;
  const auto good = read_settings(file, fresh);
  read = fresh.watched;
  if (!good) return good;
  const auto context = tls::context::create(fresh.tls);
  if (!context) return context.error();
  const auto& to = fresh.server;
  auto taken = server.use(to.bounds, to.connections, to.connections_per_peer);
  if (!taken) return taken;
  server.use(*context);
  handler.use(tools::make_handler(fresh.handler, fresh.server.bounds));
  tools::log_certificates(*context, log);
  log_what_needs_a_restart(first, fresh, log);
  return {};
}

int serve(const std::string& file, settings& s, tools::stderr_log& errors) {
  service::event_counters log(&errors);
  s.server.log = &log;
  s.server.metrics = [&log] { return log.open_metrics(); };
  const auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  service::handler_switch handler(tools::make_handler(s.handler, s.server.bounds));
  auto server = net::delivery_server::create(s.server, *context, handler);
  if (!server) return tools::complain(program, server.error());
  const tools::reload_watch watch(
      [&] { server->stop(); },
      [&](tools::watched_files& read) { return reload(file, s, *server, handler, read, log); },
      s.watched, log);
  tools::log_addresses(*server, log);
  tools::log_certificates(*context, log);
  server->run();
  log.write({log_level::info, "stopped", {}});
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::server_main<settings>(program, "Receives IMA mail from other servers.", argc, argv,
                                      read_settings, serve);
}
