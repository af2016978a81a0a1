#include "net/host_delivery.hpp"

#include <ima/net/sender.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace ima::net {
namespace {

std::vector<std::string> hosts_of(const header_block& header) {
  std::vector<std::string> hosts;
  for (const address& a : header.recipients())
    if (std::find(hosts.begin(), hosts.end(), a.host()) == hosts.end())
      hosts.emplace_back(a.host());
  return hosts;
}

bool all_delivered(const host_report& host) {
  return host.problem.empty() &&
         std::all_of(host.results.begin(), host.results.end(),
                     [](const auto& r) { return r.what == delivery::outcome::ok; });
}

bool is_deferred(const host_report& host) {
  return std::all_of(host.results.begin(), host.results.end(),
                     [](const auto& r) { return r.what == delivery::outcome::defer; });
}

bool any_ok(const host_report& host) {
  return std::any_of(host.results.begin(), host.results.end(),
                     [](const auto& r) { return r.what == delivery::outcome::ok; });
}

// docs/delivery.md section 8.
send_report::outcome sum_up(const std::vector<host_report>& hosts, bool sent) {
  using out = send_report::outcome;
  if (std::all_of(hosts.begin(), hosts.end(), all_delivered)) return out::delivered;
  const bool permanent =
      std::any_of(hosts.begin(), hosts.end(), [](const host_report& h) { return h.permanent; });
  if (!sent) return permanent ? out::refused : out::deferred;
  if (std::any_of(hosts.begin(), hosts.end(), any_ok)) return out::mixed;
  if (!permanent && std::all_of(hosts.begin(), hosts.end(), is_deferred)) return out::deferred;
  return hosts.size() == 1 ? out::refused : out::mixed;
}

}  // namespace

result<send_report> send_message(const header_block& header, body_source& body,
                                 const tls::context& tls, const sender_options& options) {
  const auto hosts = hosts_of(header);
  if (hosts.empty())
    return error{fault::caller, "recipients-missing", "", "the message names no recipient"};
  if (tls.own_certificate(header.originator().host()) == nullptr)
    return error{fault::caller, "no-certificate", "",
                 fmt::format("none of our certificates proves '{}'", header.originator().host())};
  asio::io_context loop(1);
  header_round round(loop, hosts.size());
  round.over.expires_after(options.header_round);
  std::vector<std::unique_ptr<host_delivery>> deliveries;
  for (const std::string& host : hosts) {
    deliveries.push_back(
        std::make_unique<host_delivery>(loop, host, header.for_host(host), body, tls, options));
    asio::co_spawn(loop, deliveries.back()->run(round), asio::detached);
  }
  loop.run();
  send_report report;
  bool sent = false;
  for (const auto& d : deliveries) {
    sent = sent || d->sent_body();
    report.hosts.push_back(std::move(d->report()));
  }
  report.what = sum_up(report.hosts, sent);
  return report;
}

}  // namespace ima::net
