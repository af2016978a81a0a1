// Sends one message to all its recipients' hosts.

#include "arguments.hpp"
#include "config.hpp"
#include "exit_codes.hpp"
#include "hosts.hpp"
#include "json.hpp"
#include "log.hpp"
#include "tls_settings.hpp"

#include <ima/net/sender.hpp>
#include <ima/service/message_file.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace {

using namespace ima;

constexpr const char* program = "server-send-mail";

struct settings {
  net::sender_options sender;
  tls::context_options tls;
};

result<void> read_settings(const std::string& file, settings& s) {
  return tools::read_config(file, [&](tools::config_table& config) {
    tools::read_hosts(config, s.sender.hosts);
    tools::read_dns(config, s.sender.dns);
    config.read_octets("max-size", s.sender.bounds.body);
    config.read("header-round", s.sender.header_round);
    tools::read_tls(config, s.tls);
  });
}

void print(const net::host_report& host) {
  for (const std::string& text : host.notes)
    fmt::print("NOTE {}: {}\n", host.host, printable(text));
  if (!host.problem.empty()) fmt::print("NOTE {}: {}\n", host.host, printable(host.problem));
  for (const auto& r : host.results)
    fmt::print("{} {}{}{}\n", to_string(r.what), r.recipient.text(), r.text.empty() ? "" : " ",
               printable(r.text));
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
  out.end().key("results").array();
  for (const auto& r : host.results)
    out.object()
        .key("recipient")
        .text(r.recipient.text())
        .key("result")
        .text(to_string(r.what))
        .key("text")
        .text(r.text)
        .end();
  out.end().end();
}

void print_json(const net::send_report& report) {
  tools::json_writer out;
  out.object().key("outcome").text(to_string(report.what)).key("hosts").array();
  for (const auto& host : report.hosts) print_json(host, out);
  out.end().end();
  fmt::print("{}\n", out.str());
}

int exit_for(net::send_report::outcome what) {
  using outcome = net::send_report::outcome;
  switch (what) {
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

int send(const std::string& path, const settings& s, bool json) {
  auto message = service::message_file::open(path, s.sender.bounds);
  if (!message) return tools::complain(program, message.error());
  const auto context = tls::context::create(s.tls);
  if (!context) return tools::complain(program, context.error());
  const auto report = net::send_message(message->header(), *message, *context, s.sender);
  if (!report) return tools::complain(program, report.error());
  if (json) print_json(*report);
  for (const auto& host : report->hosts)
    if (!json) print(host);
  return exit_for(report->what);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends an IMA message to its recipients' hosts.", program);
  tools::config_arguments arguments;
  tools::add_config_arguments(app, arguments);
  app.get_option("--config")->required();
  std::string path = "-";
  app.add_option("MESSAGE", path, "The message; standard input where it is - or left out");
  bool trace = false;
  bool json = false;
  app.add_flag("--json", json, "Print the results as one JSON object");
  app.add_flag("--trace", trace, "Show the exchange with each host on standard error");
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  tools::stderr_log log(log_level::debug);
  settings s;
  if (trace) s.sender.log = &log;
  if (auto good = read_settings(arguments.file, s); !good)
    return tools::complain(program, good.error());
  return arguments.check_only ? tools::exit_ok : send(path, s, json);
}
