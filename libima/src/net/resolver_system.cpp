// The resolver where there is no c-ares: addresses alone, from the system.

#include "net/resolver.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::net {

struct resolver::state {
  explicit state(asio::io_context& loop) : system(loop) {}
  tcp::resolver system;
};

resolver::resolver(std::shared_ptr<state> s) : state_(std::move(s)) {}
resolver::resolver(resolver&&) noexcept = default;
resolver::~resolver() = default;

result<resolver> resolver::create(asio::io_context& loop, const dns_options& options) {
  if (!options.servers.empty())
    return error{fault::caller, "dns-server", "", "built without c-ares, servers cannot be chosen"};
  return resolver(std::make_shared<state>(loop));
}

awaitable<result<std::vector<service_record>>> resolver::services(
    std::string, std::chrono::steady_clock::time_point) {
  co_return std::vector<service_record>();
}

awaitable<result<std::vector<tcp::endpoint>>> resolver::addresses(
    std::string host, std::uint16_t port, std::chrono::steady_clock::time_point) {
  const auto self = state_;
  const auto [failed, found] =
      co_await self->system.async_resolve(host, std::to_string(port), as_result);
  if (failed == asio::error::host_not_found || failed == asio::error::no_data)
    co_return error{fault::refused, "no-domain", host, "the DNS knows no address by this name"};
  if (failed)
    co_return error{fault::temporary, "dns", host,
                    fmt::format("the DNS gives no answer: {}", failed.message())};
  std::vector<tcp::endpoint> all;
  for (const auto& entry : found) all.push_back(entry.endpoint());
  co_return all;
}

}  // namespace ima::net
