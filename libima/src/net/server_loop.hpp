#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/endpoint.hpp"
#include "net/listen.hpp"
#include "net/metrics_listener.hpp"
#include "support/try.hpp"

#include <ima/error.hpp>
#include <ima/log.hpp>
#include <ima/tls/context.hpp>
#include <ima/tls/engine.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ima::net {

/// What both servers have in common: sockets that listen, TLS for each connection, worker threads,
/// bounds on connections, and an orderly stop. Service offers run(), stop(), abort() and
/// executor().
template <class Service>
class server_loop : public std::enable_shared_from_this<server_loop<Service>> {
 public:
  using make_service =
      std::function<std::shared_ptr<Service>(connection from, asio::thread_pool& workers)>;

  /// `Options` are those of a server: workers, connections, connections_per_peer, log.
  template <class Options>
  server_loop(tls::context tls, const Options& options, make_service make)
      : workers_(options.workers),
        most_(options.connections),
        most_of_a_peer_(options.connections_per_peer),
        log_(options.log),
        room_(loop_, asio::steady_timer::time_point::max()),
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

  /// Gives counters on a loopback address, where one is named.
  result<void> expose(const std::string& where, metrics_text make) {
    if (where.empty()) return {};
    IMA_TRY(acceptor, listen_for_metrics(loop_, where));
    metrics_address_ = text_of(acceptor.local_endpoint());
    metrics_.emplace(std::move(acceptor));
    make_metrics_ = std::move(make);
    return {};
  }

  const std::string& metrics_address() const noexcept { return metrics_address_; }
  const std::vector<std::string>& addresses() const noexcept { return addresses_; }

  asio::any_io_executor executor() { return loop_.get_executor(); }

  void run() {
    for (tcp::acceptor& a : acceptors_) asio::co_spawn(loop_, accept_loop(a), asio::detached);
    if (metrics_) asio::co_spawn(loop_, serve_metrics(*metrics_, make_metrics_), asio::detached);
    loop_.run();
    workers_.join();
  }

  void stop() {
    // Weakly: where the loop has ended already, the call stays in it, and must not keep it alive.
    asio::post(loop_, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->stop_on_loop();
    });
  }

  /// From now on; connections that are open stay.
  void set_most(std::size_t connections, std::size_t of_a_peer) {
    most_ = connections;
    most_of_a_peer_ = of_a_peer;
    room_.cancel();
  }

  /// Calls `change` on the loop's thread, unless the loop has ended.
  template <class Change>
  void on_loop(Change change) {
    asio::post(loop_, [weak = this->weak_from_this(), change = std::move(change)] {
      if (const auto self = weak.lock()) change();
    });
  }

  void use(const tls::context& tls) {
    const std::lock_guard lock(mutex_);
    tls_ = tls;
  }

 private:
  // A failure to accept is about one connection or about file descriptors; the server waits, longer
  // each time, and lives on.
  awaitable<void> accept_loop(tcp::acceptor& acceptor) {
    constexpr std::chrono::milliseconds first{50};
    constexpr std::chrono::milliseconds longest{1000};
    asio::steady_timer pause(loop_);
    auto patience = first;
    while (acceptor.is_open()) {
      auto [failed, socket] = co_await acceptor.async_accept(asio::make_strand(loop_), as_result);
      if (failed == asio::error::operation_aborted) co_return;
      if (failed) {
        log("accept-failed", {{"text", failed.message()}});
        pause.expires_after(std::exchange(patience, std::min(2 * patience, longest)));
        co_await pause.async_wait(as_result);
        continue;
      }
      if (stopping_) co_return;  // it was accepted before, and has nothing in hand
      patience = first;
      begin(std::move(socket));
      while (serving_.size() >= most_ && acceptor.is_open()) co_await room_.async_wait(as_result);
    }
  }

  void begin(tcp::socket socket) {
    asio::error_code failed;  // then it has left, and is nobody
    const std::string peer = network_of(socket.remote_endpoint(failed).address());
    if (peers_[peer] >= most_of_a_peer_)
      return log("connection-refused", {{"peer", peer}, {"text", "too many connections"}});
    auto engine = tls::engine::server(current_tls());
    if (!engine) return log("tls-failed", {{"text", engine.error().message()}});
    auto service = make_(connection(std::move(socket), std::move(*engine)), workers_);
    serving_.insert(service);
    ++peers_[peer];
    log("connection-opened", {{"peer", peer}}, log_level::debug);
    const auto executor = service->executor();
    asio::co_spawn(executor, service->run(),
                   [self = this->shared_from_this(), service,
                    peer](const std::exception_ptr& fell) { self->end(service, peer, fell); });
  }

  void end(const std::shared_ptr<Service>& service, const std::string& peer,
           const std::exception_ptr& fell) {
    if (fell) {  // no memory; this connection goes, the others stay
      log("service-failed", {{"peer", peer}});
      service->abort();
    }
    log("connection-closed", {{"peer", peer}}, log_level::debug);
    serving_.erase(service);
    if (--peers_[peer] == 0) peers_.erase(peer);
    room_.cancel();
  }

  tls::context current_tls() {
    const std::lock_guard lock(mutex_);
    return tls_;
  }

  void stop_on_loop() {
    if (std::exchange(stopping_, true)) return;
    for (tcp::acceptor& a : acceptors_) {
      asio::error_code ignored;  // it is closed either way
      a.close(ignored);
    }
    room_.cancel();
    if (metrics_) {
      asio::error_code ignored;  // it is closed either way
      metrics_->close(ignored);
    }
    for (const auto& service : serving_)
      asio::post(service->executor(), [service] { service->stop(); });
  }

  void log(std::string_view name, std::vector<std::pair<std::string_view, std::string>> fields,
           log_level level = log_level::warning) const {
    if (log_ != nullptr) log_->write({level, name, std::move(fields)});
  }

  // One thread runs the loop, and with it every strand; all but the context is used by it alone.
  asio::io_context loop_{1};
  asio::thread_pool workers_;
  std::size_t most_;
  std::size_t most_of_a_peer_;
  log_sink* log_;
  asio::steady_timer room_;  // cancelled when a connection has ended
  make_service make_;
  std::vector<tcp::acceptor> acceptors_;
  std::vector<std::string> addresses_;
  std::optional<tcp::acceptor> metrics_;
  metrics_text make_metrics_;
  std::string metrics_address_;
  std::unordered_set<std::shared_ptr<Service>> serving_;
  std::unordered_map<std::string, std::size_t> peers_;  // connections of each
  bool stopping_ = false;
  std::mutex mutex_;  // guards the context
  tls::context tls_;
};

}  // namespace ima::net
