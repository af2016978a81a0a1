// Gives users their mail (docs/man/server-post-office.8.scd).

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "log.hpp"
#include "reload.hpp"
#include "tls_settings.hpp"
#include "users.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/service/post_office.hpp>

#include <filesystem>
#include <string>
#include <utility>

namespace {

using namespace ima;

constexpr const char* program = "server-post-office";

struct settings {
  net::retrieval_server_options server;
  tls::context_options tls;
  service::accounts users;
  tools::watched_files watched;
};

void read_keys(tools::config_table& config, settings& s, std::filesystem::path& users_file) {
  config.require("listen");
  config.read("listen", s.server.listen);
  std::uint64_t workers = s.server.workers;
  config.read("workers", workers);
  if (workers == 0 || workers > 1000) config.reject("workers", "must be from 1 to 1000");
  s.server.workers = workers;
  config.require("users");
  config.read("users", users_file);
  config.read("trust-issued-names", s.server.trust_issued_names);
  tools::read_server_tls(config, s.tls, s.watched);
  if (s.server.trust_issued_names && (s.tls.system_store || s.tls.ca_file.empty()))
    config.reject("trust-issued-names", "needs tls.system-store = false and a tls.ca-file");
}

result<void> read_settings(const std::string& file, settings& s) {
  s.tls.inside = tls::protocol::imrp;
  s.watched.files.insert(file);
  std::filesystem::path users_file;
  auto good = tools::read_config(
      file, [&](tools::config_table& config) { read_keys(config, s, users_file); });
  if (!good) return good;
  s.watched.files.insert(users_file.string());
  auto users = tools::read_users(users_file);
  if (!users) return users.error();
  s.users = *std::move(users);
  return {};
}

// Takes up changed certificates and users, both or neither.
result<void> reload(const std::string& file, net::retrieval_server& server,
                    tools::listed_users& users, tools::watched_files& read, log_sink& log) {
  settings fresh;
  const auto good = read_settings(file, fresh);
  read = fresh.watched;
  if (!good) return good;
  const auto context = tls::context::create(fresh.tls);
  if (!context) return context.error();
  server.use(*context);
  users.use(std::move(fresh.users));
  tools::log_certificates(*context, log);
  return {};
}

int serve(const std::string& file, settings& s, tools::stderr_log& log) {
  const auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  tools::listed_users users(std::move(s.users));
  service::post_office office(mailbox::posix_file_system(), users);
  auto server = net::retrieval_server::create(s.server, *context, office);
  if (!server) return tools::complain(program, server.error());
  for (const std::string& where : server->addresses())
    log.write({log_level::info, "listening", {{"address", where}}});
  tools::log_certificates(*context, log);
  const tools::reload_watch watch(
      [&] { server->stop(); },
      [&](tools::watched_files& read) { return reload(file, *server, users, read, log); },
      s.watched, log);
  server->run();
  log.write({log_level::info, "stopped", {}});
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  tools::block_watched_signals();
  CLI::App app("Gives users their IMA mail.", program);
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
