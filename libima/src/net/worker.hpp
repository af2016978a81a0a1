#pragma once

#include "net/asio.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace ima::net {

/// Runs `work` on one of `workers`, a thread pool or a strand of one, and comes back to the
/// caller's executor with what it returned. The workers are joined before the caller's event loop
/// goes.
template <class Workers, class Work>
awaitable<std::invoke_result_t<Work>> on_worker(Workers& workers, Work work) {
  using outcome = std::optional<std::invoke_result_t<Work>>;
  outcome out;
  co_await asio::co_spawn(
      workers,
      [](Work& w, outcome& o) -> awaitable<void> {
        o.emplace(w());
        co_return;
      }(work, out),
      asio::use_awaitable);
  co_return std::move(*out);
}

}  // namespace ima::net
