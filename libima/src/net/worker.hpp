#pragma once

#include "net/asio.hpp"

#include <type_traits>
#include <utility>

namespace ima::net {

/// Runs `work` on a worker thread and comes back to the caller's executor with what it returned.
template <class Work>
awaitable<std::invoke_result_t<Work>> on_worker(asio::thread_pool& workers, Work work) {
  co_return co_await asio::co_spawn(
      workers,
      [](Work w) -> awaitable<std::invoke_result_t<Work>> { co_return w(); }(std::move(work)),
      asio::use_awaitable);
}

}  // namespace ima::net
