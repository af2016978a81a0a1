// Gives users their mail (docs/man/server-post-office.8.scd).

#include "config.hpp"
#include "exit_codes.hpp"
#include "hosts.hpp"
#include "index_path.hpp"
#include "limits.hpp"
#include "log.hpp"
#include "queue_settings.hpp"
#include "reload.hpp"
#include "server_main.hpp"
#include "tls_settings.hpp"
#include "users.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/net/retrieval_server.hpp>
#include <ima/net/submission.hpp>
#include <ima/service/event_counters.hpp>
#include <ima/service/post_office.hpp>
#include <ima/service/queue.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace ima;

constexpr const char* program = "server-post-office";

struct settings {
  net::retrieval_server_options server;
  tls::context_options tls;
  std::filesystem::path users_file;
  std::filesystem::path index_path = tools::default_index_path();
  bool submission = false;  // users may send
  net::sender_options sender;
  tls::context_options sender_tls;
  tools::queue_settings queue;  // of what they send
  tools::watched_files watched;
};

void read_submission(tools::config_table& config, settings& s) {
  s.submission = true;
  tools::read_hosts(config, s.sender.hosts);
  tools::read_dns(config, s.sender.dns);
  config.read("header-round", s.sender.header_round);
  tools::read_queue(config, s.queue);
  config.require("tls");
  tools::read_server_tls(config, s.sender_tls, s.watched);
}

void read_keys(tools::config_table& config, settings& s) {
  config.require("listen");
  config.read("listen", s.server.listen);
  config.read("metrics", s.server.metrics_listen);
  tools::read_server_limits(config, s.server);
  s.sender.bounds = s.server.bounds;
  config.require("users");
  config.read("users", s.users_file);
  config.read("index-path", s.index_path);
  if (s.index_path.empty())
    config.reject("index-path", "is missing, and there is no home directory to take its place");
  config.read("trust-issued-names", s.server.trust_issued_names);
  config.table("submission", [&](tools::config_table& table) { read_submission(table, s); });
  tools::read_server_tls(config, s.tls, s.watched);
  if (s.server.trust_issued_names && (s.tls.system_store || s.tls.ca_file.empty()))
    config.reject("trust-issued-names", "needs tls.system-store = false and a tls.ca-file");
}

result<void> read_settings(const std::string& file, settings& s) {
  s.tls.inside = tls::protocol::imrp;
  s.sender_tls.inside = tls::protocol::imdp;
  s.watched.files.insert(file);
  auto good = tools::read_config(file, [&](tools::config_table& config) { read_keys(config, s); });
  if (!good) return good;
  s.watched.files.insert(s.users_file.string());
  const auto users = tools::read_users(s.users_file);
  return users ? result<void>() : users.error();
}

// How users' mail goes out; both are empty where they may not send.
struct outgoing {
  std::unique_ptr<service::queue> queue;
  std::unique_ptr<net::submitter> sender;
};

result<outgoing> make_outgoing(const settings& s) {
  outgoing made;
  if (!s.submission) return made;
  const auto context = tls::context::create(s.sender_tls);
  if (!context) return context.error();
  if (!s.queue.path.empty()) {
    auto opened = service::queue::open(mailbox::posix_file_system(), s.queue.path);
    if (!opened) return opened.error();
    made.queue = std::make_unique<service::queue>(*std::move(opened));
  }
  made.sender = std::make_unique<net::submitter>(
      *context, net::submitter_options{s.sender, made.queue.get(), s.queue.retry});
  return made;
}

// What the server runs with, as far as it may change meanwhile.
struct running {
  net::retrieval_server& server;
  tools::listed_users& users;
  net::submitter* sender;
};

// What a post office is made with once and for all.
void log_what_needs_a_restart(const settings& first, const settings& fresh, log_sink& log) {
  const auto& a = first.server;
  const auto& b = fresh.server;
  tools::log_restart(log, {{"listen", a.listen != b.listen},
                           {"metrics", a.metrics_listen != b.metrics_listen},
                           {"workers", a.workers != b.workers},
                           {"users", first.users_file != fresh.users_file},
                           {"index-path", first.index_path != fresh.index_path},
                           {"trust-issued-names", a.trust_issued_names != b.trust_issued_names},
                           {"submission", first.submission != fresh.submission},
                           {"submission.queue.path", first.queue.path != fresh.queue.path}});
}

// Takes up changed certificates, users, limits, and how users' mail is sent.
result<void> reload(const std::string& file, const settings& first, running& now,
                    tools::watched_files& read, log_sink& log) {
  settings fresh;
  fresh.sender.log = first.sender.log;
  const auto good = read_settings(file, fresh);
  read = fresh.watched;
  if (!good) return good;
  const auto context = tls::context::create(fresh.tls);
  if (!context) return context.error();
  if (now.sender != nullptr && fresh.submission) {
    const auto sending = tls::context::create(fresh.sender_tls);
    if (!sending) return sending.error();
    now.sender->use(*sending);
    now.sender->use(fresh.sender, fresh.queue.retry);
  }
  const auto& to = fresh.server;
  auto taken = now.server.use(to.bounds, to.connections, to.connections_per_peer);
  if (!taken) return taken;
  now.server.use(*context);
  tools::log_certificates(*context, log);
  log_what_needs_a_restart(first, fresh, log);
  return now.users.reload();
}

int serve(const std::string& file, settings& s, tools::stderr_log& errors) {
  service::event_counters log(&errors);
  s.server.log = s.sender.log = &log;
  s.server.metrics = [&log] { return log.open_metrics(); };
  const auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  const auto users = tools::listed_users::open(s.users_file, &log);
  if (!users) return tools::complain(program, users.error());
  if (const auto made = tools::make_index_path(s.index_path); !made)
    return tools::complain(program, made.error());
  const auto sending = make_outgoing(s);
  if (!sending) return tools::complain(program, sending.error());
  net::submitter* const sender = sending->sender.get();
  service::post_office office(mailbox::posix_file_system(), **users,
                              {.sender = sender,
                               .queue = sending->queue != nullptr,
                               .bounds = s.server.bounds,
                               .indexes = s.index_path.string(),
                               .log = &log});
  auto server = net::retrieval_server::create(s.server, *context, office);
  if (!server) return tools::complain(program, server.error());
  running now{*server, **users, sender};
  const tools::reload_watch watch(
      [&] { server->stop(); },
      [&](tools::watched_files& read) { return reload(file, s, now, read, log); }, s.watched, log);
  tools::log_addresses(*server, log);
  tools::log_certificates(*context, log);
  server->run();
  log.write({log_level::info, "stopped", {}});
  return tools::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::server_main<settings>(program, "Gives users their IMA mail.", argc, argv,
                                      read_settings, serve);
}
