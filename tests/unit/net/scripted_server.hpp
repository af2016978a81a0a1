#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/endpoint.hpp"
#include "net/listen.hpp"

#include <ima/tls/context.hpp>
#include <ima/tls/engine.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

// A server that proves itself and then does what a test tells it, right or wrong. It runs on a
// thread of its own; each connection plays the same script.

namespace net_test {

/// One connection, from the script's point of view.
class peer {
 public:
  explicit peer(ima::net::connection& c) : connection_(c) {}

  void say(std::string_view text) { static_cast<void>(connection_.write(text)); }
  /// Reads until `text` has come; false if the client is gone.
  ima::net::awaitable<bool> hear(std::string_view text) {
    while (heard_.find(text) == std::string::npos) {
      const bool there = co_await more();
      if (!there) co_return false;
    }
    heard_.erase(0, heard_.find(text) + text.size());
    co_return true;
  }
  /// Reads on, and drops it; false if the client is gone.
  ima::net::awaitable<bool> more() {
    auto got = co_await connection_.read();
    if (!got || got->empty()) co_return false;
    heard_ += *got;
    co_return true;
  }
  ima::net::awaitable<void> pause(std::chrono::milliseconds length) {
    asio::steady_timer timer(connection_.executor(), length);
    co_await timer.async_wait(ima::net::as_result);
  }

 private:
  ima::net::connection& connection_;
  std::string heard_;
};

class scripted_server {
 public:
  using script = std::function<ima::net::awaitable<void>(peer&)>;

  scripted_server(ima::tls::context tls, script play)
      : tls_(std::move(tls)),
        play_(std::move(play)),
        acceptor_(ima::net::listen_on(loop_, "127.0.0.1:0").value()),
        address_(ima::net::text_of(acceptor_.local_endpoint())) {
    asio::co_spawn(loop_, accept(), asio::detached);
    thread_ = std::thread([this] { loop_.run(); });
  }
  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;
  ~scripted_server() {
    loop_.stop();
    thread_.join();
  }

  const std::string& address() const noexcept { return address_; }

 private:
  ima::net::awaitable<void> accept() {
    while (true) {
      auto [failed, socket] = co_await acceptor_.async_accept(ima::net::as_result);
      if (failed) co_return;
      auto c = std::make_shared<ima::net::connection>(std::move(socket),
                                                      ima::tls::engine::server(tls_).value());
      asio::co_spawn(
          loop_, [c]() -> ima::net::awaitable<void> { co_await c->write_loop(); }, asio::detached);
      asio::co_spawn(
          loop_, [this, c]() -> ima::net::awaitable<void> { co_await serve(*c); }, asio::detached);
    }
  }

  ima::net::awaitable<void> serve(ima::net::connection& c) {
    const auto proved = co_await c.handshake();
    peer p(c);
    if (proved) co_await play_(p);
    c.arm(std::chrono::seconds(1));
    co_await c.finish();
  }

  ima::tls::context tls_;
  script play_;
  asio::io_context loop_{1};
  asio::ip::tcp::acceptor acceptor_;
  std::string address_;
  std::thread thread_;
};

}  // namespace net_test
