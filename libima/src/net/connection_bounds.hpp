#pragma once

#include <ima/error.hpp>

#include <cstddef>

namespace ima::net {

/// Whether so many connections at the same time, and so many of these with one host, leave room for
/// any: without it nothing would ever happen. Error: fault::caller, rule `connections`.
result<void> check_connections(std::size_t all, std::size_t with_one_host);

}  // namespace ima::net
