#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/listen.hpp"
#include "support/try.hpp"

#include <ima/error.hpp>
#include <ima/log.hpp>
#include <ima/tls/context.hpp>
#include <ima/tls/engine.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ima::net {

/// What both servers have in common: sockets that listen, TLS for each connection, worker threads,
/// a bound on connections, and an orderly stop. Service offers run(), stop() and executor().
template <class Service>
class server_loop : public std::enable_shared_from_this<server_loop<Service>> {
 public:
  using make_service =
      std::function<std::shared_ptr<Service>(connection from, asio::thread_pool& workers)>;

  server_loop(tls::context tls, std::size_t workers, std::size_t connections, log_sink* log,
              make_service make)
      : workers_(workers),
        most_(connections),
        log_(log),
        make_(std::move(make)),
        tls_(std::move(tls)) {}

  result<void> listen(const std::vector<std::string>& where) {
    for (const std::string& text : where) {
      IMA_TRY(acceptor, listen_on(loop_, text));
      addresses_.push_back(text_of(acceptor.local_endpoint()));
      acceptors_.push_back(std::move(acceptor));
    }
    return {};
  }

  const std::vector<std::string>& addresses() const noexcept { return addresses_; }

  void run() {
    for (tcp::acceptor& a : acceptors_) asio::co_spawn(loop_, accept_loop(a), asio::detached);
    loop_.run();
    workers_.join();
  }

  void stop() {
    asio::post(loop_, [self = this->shared_from_this()] { self->stop_on_loop(); });
  }

  void use(const tls::context& tls) {
    const std::lock_guard lock(mutex_);
    tls_ = tls;
  }

 private:
  // A failure to accept is about one connection or about file descriptors; the server waits a
  // little and lives on.
  awaitable<void> accept_loop(tcp::acceptor& acceptor) {
    asio::steady_timer pause(loop_);
    while (acceptor.is_open()) {
      auto [failed, socket] = co_await acceptor.async_accept(asio::make_strand(loop_), as_result);
      if (failed == asio::error::operation_aborted) co_return;
      bool crowded = failed.operator bool();
      if (failed) log("accept-failed", failed.message());
      if (!failed) begin(std::move(socket));
      while (crowded || at_limit()) {
        pause.expires_after(std::chrono::milliseconds(50));
        co_await pause.async_wait(as_result);
        crowded = false;
        if (!acceptor.is_open()) co_return;
      }
    }
  }

  void begin(tcp::socket socket) {
    const std::lock_guard lock(mutex_);
    auto engine = tls::engine::server(tls_);
    if (!engine) return log("tls-failed", engine.error().message());
    auto service = make_(connection(std::move(socket), std::move(*engine)), workers_);
    serving_.insert(service);
    const auto executor = service->executor();
    asio::co_spawn(executor, service->run(),
                   [self = this->shared_from_this(), service](const std::exception_ptr&) {
                     const std::lock_guard guard(self->mutex_);
                     self->serving_.erase(service);
                   });
  }

  bool at_limit() {
    const std::lock_guard lock(mutex_);
    return serving_.size() >= most_;
  }

  void stop_on_loop() {
    if (std::exchange(stopping_, true)) return;
    for (tcp::acceptor& a : acceptors_) {
      asio::error_code ignored;  // it is closed either way
      a.close(ignored);
    }
    const std::lock_guard lock(mutex_);
    for (const auto& service : serving_)
      asio::post(service->executor(), [service] { service->stop(); });
  }

  void log(std::string_view name, std::string text) const {
    if (log_ != nullptr) log_->write({log_level::warning, name, {{"text", std::move(text)}}});
  }

  asio::io_context loop_;
  asio::thread_pool workers_;
  std::size_t most_;
  log_sink* log_;
  make_service make_;
  std::vector<tcp::acceptor> acceptors_;
  std::vector<std::string> addresses_;
  bool stopping_ = false;
  std::mutex mutex_;  // guards the two below
  tls::context tls_;
  std::unordered_set<std::shared_ptr<Service>> serving_;
};

}  // namespace ima::net
