#include "net/connection_bounds.hpp"
#include "net/delivery_service.hpp"
#include "net/server_loop.hpp"
#include "net/threads.hpp"
#include "tls/context_content.hpp"

#include <ima/net/delivery_server.hpp>

namespace ima::net {

struct delivery_server::state : server_loop<delivery_service> {
  using office_pointer = std::shared_ptr<delivery_office>;

  state(const tls::context& tls, const delivery_server_options& options, office_pointer shared)
      : server_loop(tls, options,
                    [shared](connection from, asio::thread_pool& workers) {
                      return std::make_shared<delivery_service>(std::move(from), shared, workers);
                    }),
        office(std::move(shared)) {}

  office_pointer office;
};

delivery_server::delivery_server(std::shared_ptr<state> s) : state_(std::move(s)) {}
delivery_server::delivery_server(delivery_server&&) noexcept = default;
delivery_server::~delivery_server() = default;

result<delivery_server> delivery_server::create(const delivery_server_options& options,
                                                const tls::context& tls,
                                                delivery::handler& handler) {
  IMA_CHECK(tls::check_made_for(tls, tls::protocol::imdp));
  IMA_CHECK(check_connections(options.connections, options.connections_per_peer));
  IMA_CHECK(check_threads({options.workers, options.commands}));
  auto made =
      std::make_shared<state>(tls, options, std::make_shared<delivery_office>(options, handler));
  IMA_CHECK(made->listen(options.listen));
  IMA_CHECK(made->expose(options.metrics_listen, options.metrics));
  return delivery_server(std::move(made));
}

const std::vector<std::string>& delivery_server::addresses() const noexcept {
  return state_->addresses();
}

const std::string& delivery_server::metrics_address() const noexcept {
  return state_->metrics_address();
}

void delivery_server::run() {
  state_->run();
  state_->office->programs.join();
}

void delivery_server::stop() { state_->stop(); }
void delivery_server::use(const tls::context& tls) { state_->use(tls); }

result<void> delivery_server::use(const limits& bounds, std::size_t connections,
                                  std::size_t connections_per_peer) {
  IMA_CHECK(check_connections(connections, connections_per_peer));
  state_->on_loop([s = state_.get(), bounds, connections, connections_per_peer] {
    s->office->bounds = bounds;
    s->set_most(connections, connections_per_peer);
  });
  return {};
}

}  // namespace ima::net
