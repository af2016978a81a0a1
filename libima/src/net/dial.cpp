#include "net/dial.hpp"

#include "net/connect_race.hpp"
#include "net/endpoint.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace ima::net {
namespace {

using clock = std::chrono::steady_clock;

struct target {
  std::string name;
  std::uint16_t port = 0;
};

struct targets {
  std::vector<target> all;      // in the order in which they are tried
  bool is_host_itself = false;  // as nothing names another
};

std::uint32_t draw(std::uint32_t most) {
  static thread_local std::mt19937 numbers{std::random_device{}()};
  return std::uniform_int_distribution<std::uint32_t>(0, most)(numbers);
}

result<targets> known_target(const std::string& where, std::uint16_t default_port) {
  auto parts = split_endpoint(where, std::to_string(default_port));
  if (!parts) return std::move(parts).error();
  const auto port = static_cast<std::uint16_t>(*wire::parse_number(parts->port));
  return targets{{{std::move(parts->host), port}}};
}

// docs/delivery.md section 1: SRV records, else the hostpart itself.
awaitable<result<targets>> targets_of(resolver& dns, const destination& to,
                                      clock::time_point until) {
  if (to.known != nullptr)
    if (const auto known = to.known->find(to.host); known != to.known->end())
      co_return known_target(known->second, to.port);
  auto records = co_await dns.services(fmt::format("{}.{}", to.service, to.host), until);
  if (!records) co_return std::move(records).error();
  if (says_no_service(*records))
    co_return error{fault::refused, "no-service", to.host, "the domain says that it takes no mail"};
  if (records->empty()) co_return targets{{{to.host, to.port}}, true};
  targets named;
  for (service_record& r : in_order(std::move(*records), draw))
    named.all.push_back({std::move(r.target), r.port});
  co_return named;
}

awaitable<result<std::vector<tcp::endpoint>>> addresses_of(resolver& dns, const target& t,
                                                           clock::time_point until) {
  asio::error_code is_name;
  const auto literal = asio::ip::make_address(t.name, is_name);
  if (!is_name) co_return std::vector{tcp::endpoint(literal, t.port)};
  co_return co_await dns.addresses(t.name, t.port, until);
}

// Names the target, and the address that failed where that says more.
error of_target(error why, const target& t) {
  std::string name = text_of(t.name, t.port);
  if (!why.place.empty() && why.place != name) why.text = why.place + ": " + why.text;
  why.place = std::move(name);
  return why;
}

awaitable<result<void>> reach(resolver& dns, const target& t, const limits& bounds,
                              clock::time_point until, const take_socket& take) {
  auto addresses = co_await addresses_of(dns, t, until);
  if (!addresses) co_return std::move(addresses).error();
  auto socket =
      co_await connect_race(std::move(*addresses), std::min(until, clock::now() + bounds.connect));
  if (!socket) {
    co_return of_target(std::move(socket).error(), t);
  }
  co_return co_await take(std::move(*socket));
}

// A target that does not exist is a slip in the records of a domain that does, also where it is the
// domain itself.
error judged(error why, const targets& tried) {
  if (why.rule == "no-domain" && !tried.is_host_itself) why.kind = fault::temporary;
  return why;
}

}  // namespace

awaitable<result<std::vector<tcp::endpoint>>> find_endpoints(resolver& dns, destination to,
                                                             clock::time_point until) {
  auto found = co_await targets_of(dns, to, until);
  if (!found) co_return std::move(found).error();
  std::vector<tcp::endpoint> all;
  error last;
  for (const target& t : found->all) {
    auto some = co_await addresses_of(dns, t, until);
    if (some)
      all.insert(all.end(), some->begin(), some->end());
    else
      last = std::move(some).error();
  }
  if (all.empty()) co_return judged(std::move(last), *found);
  co_return all;
}

awaitable<result<void>> dial(resolver& dns, destination to, const limits& bounds,
                             clock::time_point until, take_socket take) {
  auto found = co_await targets_of(dns, to, until);
  if (!found) co_return std::move(found).error();
  result<void> last;
  for (const target& t : found->all) {
    if (clock::now() >= until)
      co_return error{fault::temporary, "timeout", to.host, "no time is left to connect"};
    last = co_await reach(dns, t, bounds, until, take);
    if (last) co_return last;
  }
  co_return judged(last.error(), *found);
}

}  // namespace ima::net
