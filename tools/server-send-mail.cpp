// Sends one message to all its recipients' hosts.

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "hosts.hpp"
#include "json.hpp"
#include "limits.hpp"
#include "log.hpp"
#include "output.hpp"
#include "queue_settings.hpp"
#include "reload.hpp"
#include "result_json.hpp"
#include "server_main.hpp"
#include "signals.hpp"
#include "tls_settings.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/net/queue_runner.hpp>
#include <ima/net/sender.hpp>
#include <ima/service/event_counters.hpp>
#include <ima/service/message_file.hpp>
#include <ima/service/queue.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

namespace {

using namespace ima;

constexpr const char* program = "server-send-mail";

struct settings {
  net::sender_options sender;
  tls::context_options tls;
  tools::queue_settings queue;
  std::string metrics_listen;  // of a queue runner
  tools::watched_files watched;
};

result<void> read_settings(const std::string& file, settings& s) {
  s.watched.files.insert(file);
  return tools::read_config(file, [&](tools::config_table& config) {
    tools::read_hosts(config, s.sender.hosts);
    tools::read_dns(config, s.sender.dns);
    config.read("metrics", s.metrics_listen);
    tools::read_limits(config, s.sender.bounds);
    config.read("header-round", s.sender.header_round);
    tools::read_queue(config, s.queue);
    tools::read_server_tls(config, s.tls, s.watched);
  });
}

std::string_view word_for(delivery::outcome what, bool queued) {
  return queued && what == delivery::outcome::defer ? "QUEUED" : to_string(what);
}

void print(const net::host_report& host, bool queued) {
  for (const std::string& text : host.notes)
    tools::print("NOTE {}: {}\n", host.host, printable(text));
  if (!host.problem.empty()) tools::print("NOTE {}: {}\n", host.host, printable(host.problem));
  for (const auto& r : host.results)
    tools::print("{} {}{}{}\n", word_for(r.what, queued), r.recipient.text(),
                 r.text.empty() ? "" : " ", printable(r.text));
}

std::string_view to_string(net::send_report::outcome what) {
  static constexpr std::string_view words[] = {"delivered", "refused", "deferred", "mixed"};
  return words[static_cast<std::size_t>(what)];
}

void print_json(const net::host_report& host, tools::json_writer& out) {
  out.object().key("host").text(host.host).key("problem").text(host.problem);
  out.key("permanent").flag(host.permanent).key("unknown").flag(host.unknown);
  out.key("withdrawn").flag(host.withdrawn).key("notes").array();
  for (const std::string& text : host.notes) out.text(text);
  out.end().key("results");
  tools::put_results(out, host.results);
  out.end();
}

void print_json(const net::send_report& report) {
  tools::json_writer out;
  out.object().key("outcome").text(to_string(report.what));
  out.key("queued").flag(report.queued).key("hosts").array();
  for (const auto& host : report.hosts) print_json(host, out);
  out.end().end();
  tools::print("{}\n", out.str());
}

// What waits in a queue is as good as sent, as long as nobody was failed.
bool as_good_as_sent(const net::send_report& report) {
  for (const auto& host : report.hosts)
    for (const auto& r : host.results)
      if (r.what != delivery::outcome::ok && r.what != delivery::outcome::defer) return false;
  return report.queued;
}

int exit_for(const net::send_report& report) {
  using outcome = net::send_report::outcome;
  if (as_good_as_sent(report)) return tools::exit_ok;
  switch (report.what) {
    case outcome::delivered:
      return tools::exit_ok;
    case outcome::refused:
      return tools::exit_failed;
    case outcome::deferred:
      return tools::exit_temporary;
    case outcome::mixed:
      return tools::exit_mixed;
  }
  return tools::exit_internal;
}

result<net::send_report> send_by_settings(service::message_file& message,
                                          const tls::context& context, const settings& s) {
  if (s.queue.path.empty()) return net::send_message(message.header(), message, context, s.sender);
  auto queue = service::queue::open(mailbox::posix_file_system(), s.queue.path);
  if (!queue) return queue.error();
  return net::send_or_queue(message.header(), message, *queue, context, s.sender, s.queue.retry);
}

int send(const std::string& path, const settings& s, bool json) {
  auto message = service::message_file::open(path, s.sender.bounds);
  if (!message) return tools::complain(program, message.error());
  const auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  const auto report = send_by_settings(*message, *context, s);
  if (!report) return tools::complain(program, report.error());
  if (json) print_json(*report);
  for (const auto& host : report->hosts)
    if (!json) print(host, report->queued);
  return exit_for(*report);
}

net::queue_runner_options runner_options(const settings& s) {
  net::queue_runner_options options;
  options.hosts = s.sender.hosts;
  options.dns = s.sender.dns;
  options.bounds = s.sender.bounds;
  options.log = s.sender.log;
  options.retry = s.queue.retry;
  options.connections = s.queue.connections;
  options.per_host = s.queue.per_host;
  return options;
}

// Takes up changed certificates, hosts, limits and intervals, all or nothing.
result<void> reload(const std::string& file, const settings& first, net::queue_runner& runner,
                    tools::watched_files& read, log_sink& log) {
  settings fresh;
  const auto good = read_settings(file, fresh);
  read = fresh.watched;
  if (!good) return good;
  const auto context = tls::context::create(fresh.tls);
  if (!context) return context.error();
  auto taken = runner.use(runner_options(fresh));
  if (!taken) return taken;
  runner.use(*context);
  tools::log_certificates(*context, log);
  tools::log_restart(log, {{"queue.path", first.queue.path != fresh.queue.path},
                           {"metrics", first.metrics_listen != fresh.metrics_listen},
                           {"dns", first.sender.dns != fresh.sender.dns}});
  return {};
}

int run_queue(const std::string& file, settings& s, bool once) {
  tools::block_watched_signals();
  if (s.queue.path.empty())
    return tools::complain(program, {fault::caller, "config-missing", file, "queue: is missing"});
  const auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  auto queue = service::queue::open(mailbox::posix_file_system(), s.queue.path);
  if (!queue) return tools::complain(program, queue.error());
  service::event_counters log(s.sender.log);
  s.sender.log = &log;
  net::queue_runner_options options = runner_options(s);
  options.metrics_listen = once ? "" : s.metrics_listen;
  options.metrics = [&log] { return log.open_metrics(); };
  auto runner = net::queue_runner::create(*queue, *context, options);
  if (!runner) return tools::complain(program, runner.error());
  if (!runner->metrics_address().empty())
    log.write({log_level::info, "metrics-listening", {{"address", runner->metrics_address()}}});
  tools::log_certificates(*context, log);
  const tools::reload_watch watch(
      [&] { runner->stop(); },
      [&](tools::watched_files& read) { return reload(file, s, *runner, read, log); }, s.watched,
      log);
  if (!once) log.write({log_level::info, "running", {{"queue", s.queue.path}}});
  const auto good = once ? runner->run_once() : runner->run();
  return good ? tools::exit_ok : tools::complain(program, good.error());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends an IMA message to its recipients' hosts.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  std::string path = "-";
  app.add_option("MESSAGE", path, "The message; standard input where it is - or left out");
  bool runs_queue = false;
  bool once = false;
  CLI::Option* run = app.add_flag("--run-queue", runs_queue, "Deliver what waits in the queue");
  app.add_flag("--once", once, "With --run-queue: what is due now, then end")->needs(run);
  bool trace = false;
  bool json = false;
  app.add_flag("--json", json, "Print the results as one JSON object");
  app.add_flag("--trace", trace, "Show the exchange with each host on standard error");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  tools::stderr_log log(trace ? log_level::debug : runs_queue ? log_level::info : log_level::error);
  settings s;
  s.sender.log = &log;
  if (auto good = read_settings(arguments.file, s); !good)
    return tools::complain(program, good.error());
  if (arguments.check_only) return tools::exit_ok;
  if (runs_queue)
    return tools::with_signals(program, [&] { return run_queue(arguments.file, s, once); });
  return send(path, s, json);
}
