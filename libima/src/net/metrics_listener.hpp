#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>

#include <functional>
#include <string>

namespace ima::net {

/// Makes the text of the counters; called on the loop's thread.
using metrics_text = std::function<std::string()>;

/// A listening socket for counters. Errors: fault::caller, rules `listen`, and `metrics-address`
/// for an address that is not loopback: counters tell who writes to whom, and nobody is asked for
/// proof.
result<tcp::acceptor> listen_for_metrics(asio::io_context& loop, const std::string& where);

/// Answers HTTP requests for /metrics, one after another, until the acceptor is closed.
awaitable<void> serve_metrics(tcp::acceptor& acceptor, metrics_text make);

}  // namespace ima::net
