#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>

#include <cstddef>
#include <initializer_list>
#include <string>

namespace ima::net {

/// A listening socket on "address:port". Error: fault::caller, rule `listen`.
result<tcp::acceptor> listen_on(asio::io_context& loop, const std::string& where);

/// How many threads a server may have for each of its purposes: from 1 to 1000. Error:
/// fault::caller, rule `workers`.
result<void> check_threads(std::initializer_list<std::size_t> numbers);

}  // namespace ima::net
