#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <initializer_list>

namespace ima::net {

/// Looks whether pools with so many threads each, from 1 to 1000, can be had; Asio waits for ever
/// where it has started some of a pool and can start no more. Errors: fault::caller `workers`;
/// fault::temporary `threads`.
result<void> check_threads(std::initializer_list<std::size_t> pools);

}  // namespace ima::net
