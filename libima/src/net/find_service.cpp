#include "net/dial.hpp"
#include "net/endpoint.hpp"
#include "net/interruption.hpp"
#include "net/resolver.hpp"

#include <ima/net/find_service.hpp>

#include <optional>

namespace ima::net {
namespace {

destination destination_of(std::string_view hostpart, service_kind what) {
  if (what == service_kind::delivery) return {std::string(hostpart), "_imdp._tcp", 20025, nullptr};
  return {std::string(hostpart), "_imrp._tcp", 20093, nullptr};
}

}  // namespace

result<std::vector<std::string>> find_service(std::string_view hostpart, service_kind what,
                                              const dns_options& options,
                                              const std::function<bool()>& interrupted) {
  asio::io_context loop{1};
  auto dns = resolver::create(loop, options);
  if (!dns) return std::move(dns).error();
  const auto until = std::chrono::steady_clock::now() + options.total;
  std::optional<result<std::vector<tcp::endpoint>>> found;
  asio::co_spawn(
      loop,
      [](resolver& r, destination to, std::chrono::steady_clock::time_point end,
         std::optional<result<std::vector<tcp::endpoint>>>& out) -> awaitable<void> {
        out.emplace(co_await find_endpoints(r, std::move(to), end));
      }(*dns, destination_of(hostpart, what), until, found),
      asio::detached);
  interruption watch(interrupted);
  while (!found)
    if (watch.run_one(loop, std::chrono::steady_clock::time_point::max()))
      return error{fault::unknown, "interrupted", std::string(hostpart),
                   "the look-up was interrupted"};
  if (!*found) return std::move(*found).error();
  std::vector<std::string> out;
  for (const tcp::endpoint& where : **found) out.push_back(text_of(where));
  return out;
}

}  // namespace ima::net
