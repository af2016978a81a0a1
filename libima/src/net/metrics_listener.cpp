#include "net/metrics_listener.hpp"

#include "net/listen.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

namespace ima::net {
namespace {

constexpr std::chrono::seconds patience{2};
constexpr std::size_t longest_request = 8192;

std::string answer_to(std::string_view request, const metrics_text& make) {
  const bool known = request.starts_with("GET /metrics ") || request.starts_with("GET / ");
  const std::string body = known ? make() : "not here; see /metrics\n";
  return fmt::format(
      "HTTP/1.1 {}\r\n"
      "Content-Type: {}; charset=utf-8\r\n"
      "Content-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      known ? "200 OK" : "404 Not Found",
      known ? "application/openmetrics-text; version=1.0.0" : "text/plain", body.size(), body);
}

// One request with its answer; a client that takes too long is cut off.
awaitable<void> answer(tcp::socket& socket, const metrics_text& make) {
  std::string request;
  std::array<char, 1024> some;
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < longest_request) {
    const auto [failed, count] = co_await socket.async_read_some(asio::buffer(some), as_result);
    if (failed) co_return;
    request.append(some.data(), count);
  }
  const std::string text = answer_to(request, make);
  co_await asio::async_write(socket, asio::buffer(text), as_result);
  asio::error_code ignored;  // it closes next
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace

result<tcp::acceptor> listen_for_metrics(asio::io_context& loop, const std::string& where) {
  IMA_TRY(acceptor, listen_on(loop, where));
  if (acceptor.local_endpoint().address().is_loopback()) return std::move(acceptor);
  return error{fault::caller, "metrics-address", where, "counters are given on loopback alone"};
}

awaitable<void> serve_metrics(tcp::acceptor& acceptor, metrics_text make) {
  asio::steady_timer deadline(acceptor.get_executor());
  while (acceptor.is_open()) {
    auto [failed, accepted] = co_await acceptor.async_accept(as_result);
    if (failed == asio::error::operation_aborted) co_return;
    deadline.expires_after(patience);
    if (failed) {  // for want of descriptors, perhaps
      co_await deadline.async_wait(as_result);
      continue;
    }
    const auto socket = std::make_shared<tcp::socket>(std::move(accepted));
    deadline.async_wait([socket](asio::error_code cancelled) {
      asio::error_code ignored;  // it goes either way
      if (!cancelled) socket->close(ignored);
    });
    co_await answer(*socket, make);
    deadline.cancel();
  }
}

}  // namespace ima::net
