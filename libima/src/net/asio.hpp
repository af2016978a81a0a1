#pragma once

// The one place that includes Asio.
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
#else
#include <asio/experimental/as_tuple.hpp>
#endif

namespace ima::net {

using asio::awaitable;
using asio::ip::tcp;
#if __has_include(<asio/as_tuple.hpp>)
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
#else
inline constexpr auto as_result = asio::experimental::as_tuple(asio::use_awaitable);
#endif

}  // namespace ima::net
