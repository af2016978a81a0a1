#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ima::net {

/// An endpoint as it is written, taken apart.
struct host_and_port {
  std::string host;
  std::string port;
};

/// Splits "host:port" or "[v6]:port"; the port may be left out where `default_port` is given.
/// Error: fault::caller, rule `endpoint`.
result<host_and_port> split_endpoint(std::string_view text, std::string_view default_port = {});

/// Whether each hostpart is reached at an endpoint, perhaps without its port; the first that is not
/// is the place. Error: as split_endpoint().
result<void> check_endpoints(const std::map<std::string, std::string, std::less<>>& hosts);

/// "127.0.0.1:4711" or "[::1]:4711".
std::string text_of(const tcp::endpoint& endpoint);
/// The same where the host may be a name.
std::string text_of(std::string_view host, std::uint16_t port);

/// What counts as one peer: the address, and of IPv6 the half of it that a provider gives to one
/// customer.
std::string network_of(const asio::ip::address& host);

}  // namespace ima::net
