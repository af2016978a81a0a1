#include "net/endpoint.hpp"

#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace ima::net {

result<host_and_port> split_endpoint(std::string_view text, std::string_view default_port) {
  const error bad{fault::caller, "endpoint", "",
                  fmt::format("'{}' is not like 127.0.0.1:20025 or [::1]:20025", text)};
  std::string_view host = text;
  std::string_view port = default_port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad;
    host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text[0] != ':') return bad;
    if (!text.empty()) port = text.substr(1);
  } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto number = wire::parse_number(port);
  if (host.empty() || !number || *number > 65535) return bad;
  return host_and_port{std::string(host), std::string(port)};
}

result<void> check_endpoints(const std::map<std::string, std::string, std::less<>>& hosts) {
  for (const auto& [host, where] : hosts) {
    auto parts = split_endpoint(where, "0");
    if (parts) continue;
    error bad = std::move(parts).error();
    bad.place = host;
    return bad;
  }
  return {};
}

std::string text_of(std::string_view host, std::uint16_t port) {
  const bool six = host.find(':') != std::string_view::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", host, six ? "]" : "", port);
}

std::string text_of(const tcp::endpoint& endpoint) {
  return text_of(endpoint.address().to_string(), endpoint.port());
}

std::string network_of(const asio::ip::address& host) {
  if (host.is_v4() || host.to_v6().is_v4_mapped()) return host.to_string();
  auto octets = host.to_v6().to_bytes();
  std::fill(octets.begin() + octets.size() / 2, octets.end(), std::uint8_t{0});
  return asio::ip::address_v6(octets).to_string();
}

}  // namespace ima::net
