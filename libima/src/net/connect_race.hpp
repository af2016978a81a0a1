#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>

#include <chrono>
#include <vector>

namespace ima::net {

/// IPv6 and IPv4 taking turns, beginning with IPv6, in the order given otherwise (RFC 8305
/// section 4).
std::vector<tcp::endpoint> interleaved(const std::vector<tcp::endpoint>& all);

/// Connects to the first of `endpoints` that answers. Each has a quarter of a second before the
/// next is tried beside it, or none if it fails (RFC 8305 section 5, without its fine points); by
/// `until` all is over. Error: fault::temporary `connection`, `timeout`.
awaitable<result<tcp::socket>> connect_race(std::vector<tcp::endpoint> endpoints,
                                            std::chrono::steady_clock::time_point until);

}  // namespace ima::net
