#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>

#include <string>

namespace ima::net {

/// A listening socket on "address:port". Error: fault::caller, rule `listen`.
result<tcp::acceptor> listen_on(asio::io_context& loop, const std::string& where);

}  // namespace ima::net
