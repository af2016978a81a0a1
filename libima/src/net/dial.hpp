#pragma once

#include "net/asio.hpp"
#include "net/resolver.hpp"

#include <ima/error.hpp>
#include <ima/limits.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ima::net {

/// Which service of a hostpart is called, and how it is found (docs/delivery.md section 1).
struct destination {
  std::string host;          ///< The hostpart.
  std::string_view service;  ///< "_imdp._tcp"
  std::uint16_t port = 0;    ///< Where there are no SRV records.
  /// Where hostparts are reached without asking the DNS ("127.0.0.1:20025").
  const std::map<std::string, std::string, std::less<>>* known = nullptr;
};

/// The addresses of all the destination's targets, in the order in which they are to be tried. An
/// error only where there is none: that of the last target. Errors: as dial(), but for
/// `connection`.
awaitable<result<std::vector<tcp::endpoint>>> find_endpoints(
    resolver& dns, destination to, std::chrono::steady_clock::time_point until);

/// Does what is to be done with a connected socket, before it counts as reached.
using take_socket = std::function<awaitable<result<void>>(tcp::socket)>;

/// Finds the destination's targets and connects to one after the other until `take` is content.
/// Over by `until`. Errors: fault::refused `no-service`, `no-domain`; fault::temporary `dns`,
/// `connection`, `timeout`; fault::caller `endpoint`; what `take` said of the last target.
awaitable<result<void>> dial(resolver& dns, destination to, const limits& bounds,
                             std::chrono::steady_clock::time_point until, take_socket take);

}  // namespace ima::net
