#include "net/queued_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <string>

namespace ima::net {

using delivery::outcome;

header_block for_those_who_wait(const header_block& whole, const service::queued_host& host,
                                const limits& bounds) {
  const bool all = std::all_of(host.results.begin(), host.results.end(),
                               [](const auto& r) { return r.what == outcome::defer; });
  if (all) return whole;
  std::string text;
  octets left = whole.text();
  for (bool first = true; !left.empty(); first = false) {
    const octets line = left.substr(0, left.find('\n') + 1);
    left.remove_prefix(line.size());
    if (!line.starts_with("for: ")) text += line;
    if (!first) continue;
    for (const auto& r : host.results)
      if (r.what == outcome::defer) text += fmt::format("for: {}\n", r.recipient.text());
  }
  auto narrowed = header_block::parse(text, bounds);
  return narrowed ? *std::move(narrowed) : whole;
}

std::vector<delivery::recipient_result> results_to_keep(const host_report& report,
                                                        const service::queued_host& host,
                                                        bool too_old) {
  std::vector<delivery::recipient_result> out;
  for (const auto& waits : host.results) {
    if (waits.what != outcome::defer) continue;
    delivery::recipient_result r = waits;
    for (const auto& came : report.results)
      if (came.recipient == waits.recipient) r = came;
    if (r.what == outcome::defer && report.permanent)
      r = {r.recipient, outcome::fail, report.problem};
    else if (r.what == outcome::defer && too_old)
      r = {r.recipient, outcome::fail,
           fmt::format("given up after too long: {}", r.text.empty() ? report.problem : r.text)};
    out.push_back(std::move(r));
  }
  return out;
}

std::chrono::sys_seconds next_try(const service::retry_policy& retry, std::uint64_t tries,
                                  std::chrono::sys_seconds now) {
  static thread_local std::mt19937 numbers{std::random_device{}()};
  return retry.next(tries, now, std::uniform_real_distribution<double>(0, 1)(numbers));
}

}  // namespace ima::net
