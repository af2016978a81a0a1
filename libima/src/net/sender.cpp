#include "message/recipient_hosts.hpp"
#include "net/all_of.hpp"
#include "net/endpoint.hpp"
#include "net/host_delivery.hpp"
#include "net/interruption.hpp"
#include "net/threads.hpp"
#include "net/worker.hpp"
#include "support/told.hpp"
#include "support/try.hpp"

#include <ima/net/sender.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ima::net {

void send_observer::answered(std::string_view, std::string_view) {}
void send_observer::recipient(std::string_view, const delivery::recipient_result&) {}
void send_observer::note(std::string_view, std::string_view) {}
void send_observer::keep(const host_report&) {}
void send_observer::finished(const host_report&) {}
void send_observer::queued() {}
result<void> send_observer::before_bodies(const std::vector<host_report>&) { return {}; }

namespace {

using clock = std::chrono::steady_clock;
using hosts_in_hand = std::vector<std::unique_ptr<host_delivery>>;

std::vector<host_report> reports_of(const hosts_in_hand& hosts) {
  std::vector<host_report> out;
  for (const auto& h : hosts) out.push_back(h->report());
  return out;
}

// Who keeps the body from going anywhere, or null (docs/delivery.md section 8).
const host_delivery* objector(const hosts_in_hand& hosts, send_policy policy) {
  for (const auto& h : hosts)
    if (h->refused()) return h.get();
  for (const auto& h : hosts)
    if (policy == send_policy::all_or_none && !h->content()) return h.get();
  return nullptr;
}

void withdraw_all(const hosts_in_hand& hosts, bool permanent, const std::string& why) {
  for (const auto& h : hosts) h->withdraw(permanent, why);
}

awaitable<void> send_one(host_delivery& d, asio::thread_pool& workers, send_observer* watcher) {
  co_await d.send();
  if (watcher == nullptr) co_return;
  co_await on_worker(workers, [&] {
    watcher->keep(d.report());
    return true;
  });
  watcher->finished(d.report());
}

awaitable<void> bodies(const hosts_in_hand& hosts, asio::thread_pool& workers,
                       const sender_options& options) {
  std::vector<awaitable<void>> sending;
  for (const auto& h : hosts) sending.push_back(send_one(*h, workers, options.observer));
  co_await all_of(std::move(sending));
}

awaitable<void> conduct(const hosts_in_hand& hosts, asio::thread_pool& workers,
                        const sender_options& options) {
  const auto until = clock::now() + options.header_round;
  std::vector<awaitable<void>> asking;
  for (const auto& h : hosts) asking.push_back(h->ask(until));
  co_await all_of(std::move(asking));
  if (const host_delivery* const no = objector(hosts, options.policy)) {
    withdraw_all(hosts, no->refused(), fmt::format("not sent, because of {}", no->report().host));
  } else if (options.observer != nullptr) {
    const auto known = reports_of(hosts);
    const auto go =
        co_await on_worker(workers, [&] { return options.observer->before_bodies(known); });
    if (!go) withdraw_all(hosts, go.error().kind == fault::refused, told(go.error()));
  }
  co_await bodies(hosts, workers, options);
  std::vector<awaitable<void>> closing;
  for (const auto& h : hosts) closing.push_back(h->link().close());
  co_await all_of(std::move(closing));
}

send_report::outcome sum_up(const hosts_in_hand& hosts) {
  using out = send_report::outcome;
  bool any = false;
  bool all = true;
  bool permanent = false;
  for (const auto& h : hosts) {
    permanent = permanent || h->refused();
    for (const auto& r : h->report().results) {
      any = any || r.what == delivery::outcome::ok;
      all = all && r.what == delivery::outcome::ok;
    }
  }
  if (all) return out::delivered;
  if (any) return out::mixed;
  return permanent ? out::refused : out::deferred;
}

// They read the body and keep reports, until whatever ends the call: also what the caller's own
// functions throw.
struct joined_at_end {
  asio::thread_pool& workers;
  ~joined_at_end() { workers.join(); }
};

}  // namespace

result<send_report> send_message(const header_block& header, body_source& body,
                                 const tls::context& tls, const sender_options& options) {
  const auto hosts = recipient_hosts(header);
  if (hosts.empty())
    return error{fault::caller, "recipients-missing", "", "the message names no recipient"};
  const std::string sender(header.originator().host());
  IMA_CHECK(check_own_certificate(tls, sender, std::chrono::system_clock::now()));
  IMA_CHECK(check_endpoints(options.hosts));
  IMA_CHECK(check_threads({1}));
  asio::io_context loop(1);
  asio::thread_pool workers(1);
  IMA_TRY(dns, resolver::create(loop, options.dns));
  sending_means means{loop, dns, workers, tls, options.hosts, options.bounds};
  hosts_in_hand deliveries;
  for (const std::string& host : hosts)
    deliveries.push_back(
        std::make_unique<host_delivery>(std::make_shared<delivery_link>(means, host, sender),
                                        header, body, options.observer, options.log));
  asio::co_spawn(loop, conduct(deliveries, workers, options), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  const joined_at_end reading{workers};
  interruption watch(options.interrupted);
  while (!loop.stopped()) {
    if (!watch.run_one(loop, clock::time_point::max())) continue;
    return error{fault::unknown, "interrupted", "", "the sending was interrupted"};
  }
  return send_report{sum_up(deliveries), reports_of(deliveries), false};
}

}  // namespace ima::net
