#pragma once

#include "net/asio.hpp"

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

namespace ima::net {

/// Runs all of `work` at the same time on the caller's executor and waits for the last; what one of
/// them threw is thrown then.
inline awaitable<void> all_of(std::vector<awaitable<void>> work) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer last(executor, asio::steady_timer::time_point::max());
  std::size_t running = work.size();
  std::exception_ptr thrown;
  for (auto& one : work)
    asio::co_spawn(executor, std::move(one), [&](std::exception_ptr e) {
      if (e) thrown = std::move(e);
      if (--running == 0) last.cancel();
    });
  while (running > 0) co_await last.async_wait(as_result);
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace ima::net
