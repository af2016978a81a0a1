#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>

#include <string>
#include <string_view>

namespace ima::net {

/// Splits "host:port" or "[v6]:port"; the port may be left out where `default_port` is given.
/// Error: fault::caller, rule `endpoint`.
struct host_and_port {
  std::string host;
  std::string port;
};
result<host_and_port> split_endpoint(std::string_view text, std::string_view default_port = {});

/// A listening socket on "address:port". Error: fault::caller, rule `listen`.
result<tcp::acceptor> listen_on(asio::io_context& loop, const std::string& where);

}  // namespace ima::net
