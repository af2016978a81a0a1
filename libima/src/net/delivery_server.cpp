#include "net/asio.hpp"
#include "net/delivery_service.hpp"
#include "net/listen.hpp"
#include "support/try.hpp"

#include <ima/net/delivery_server.hpp>

#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>

namespace ima::net {

struct delivery_server::state : std::enable_shared_from_this<state> {
  delivery_server_options options;
  delivery::handler& handler;
  asio::io_context loop;
  asio::thread_pool workers;
  std::vector<tcp::acceptor> acceptors;
  std::vector<std::string> addresses;
  std::mutex mutex;  // guards the two below
  tls::context tls;
  std::unordered_set<std::shared_ptr<delivery_service>> serving;
  bool stopping = false;

  state(delivery_server_options o, tls::context c, delivery::handler& h)
      : options(std::move(o)), handler(h), workers(options.workers), tls(std::move(c)) {}

  awaitable<void> accept_loop(tcp::acceptor& acceptor);
  void begin(tcp::socket socket);
  bool at_limit() {
    const std::lock_guard lock(mutex);
    return serving.size() >= options.connections;
  }
  void stop();
  void log(log_level level, std::string_view name, std::string text) const {
    if (options.log != nullptr) options.log->write({level, name, {{"text", std::move(text)}}});
  }
};

void delivery_server::state::begin(tcp::socket socket) {
  const std::lock_guard lock(mutex);
  auto engine = tls::engine::server(tls);
  if (!engine) return log(log_level::error, "tls-failed", engine.error().message());
  auto service =
      std::make_shared<delivery_service>(connection(std::move(socket), std::move(*engine)),
                                         options.bounds, handler, workers, options.log);
  serving.insert(service);
  const auto executor = service->executor();
  asio::co_spawn(executor, service->run(),
                 [self = shared_from_this(), service](const std::exception_ptr&) {
                   const std::lock_guard guard(self->mutex);
                   self->serving.erase(service);
                 });
}

// A failure to accept is about one connection or about file descriptors; the server waits a little
// and lives on.
awaitable<void> delivery_server::state::accept_loop(tcp::acceptor& acceptor) {
  asio::steady_timer pause(loop);
  while (acceptor.is_open()) {
    auto [failed, socket] = co_await acceptor.async_accept(asio::make_strand(loop), as_result);
    if (failed == asio::error::operation_aborted) co_return;
    bool crowded = failed.operator bool();
    if (failed) log(log_level::warning, "accept-failed", failed.message());
    if (!failed) begin(std::move(socket));
    while (crowded || at_limit()) {
      pause.expires_after(std::chrono::milliseconds(50));
      co_await pause.async_wait(as_result);
      crowded = false;
      if (!acceptor.is_open()) co_return;
    }
  }
}

void delivery_server::state::stop() {
  if (std::exchange(stopping, true)) return;
  for (tcp::acceptor& a : acceptors) {
    asio::error_code ignored;  // it is closed either way
    a.close(ignored);
  }
  const std::lock_guard lock(mutex);
  for (const auto& service : serving)
    asio::post(service->executor(), [service] { service->stop(); });
}

delivery_server::delivery_server(std::shared_ptr<state> s) : state_(std::move(s)) {}
delivery_server::delivery_server(delivery_server&&) noexcept = default;
delivery_server::~delivery_server() = default;

result<delivery_server> delivery_server::create(const delivery_server_options& options,
                                                const tls::context& tls,
                                                delivery::handler& handler) {
  auto made = std::make_shared<state>(options, tls, handler);
  for (const std::string& where : options.listen) {
    IMA_TRY(acceptor, listen_on(made->loop, where));
    made->addresses.push_back(text_of(acceptor.local_endpoint()));
    made->acceptors.push_back(std::move(acceptor));
  }
  return delivery_server(std::move(made));
}

const std::vector<std::string>& delivery_server::addresses() const noexcept {
  return state_->addresses;
}

void delivery_server::run() {
  for (tcp::acceptor& a : state_->acceptors)
    asio::co_spawn(state_->loop, state_->accept_loop(a), asio::detached);
  state_->loop.run();
  state_->workers.join();
}

void delivery_server::stop() {
  asio::post(state_->loop, [self = state_] { self->stop(); });
}

void delivery_server::use(const tls::context& tls) {
  const std::lock_guard lock(state_->mutex);
  state_->tls = tls;
}

}  // namespace ima::net
