#include "net/delivery_service.hpp"
#include "net/server_loop.hpp"

#include <ima/net/delivery_server.hpp>

namespace ima::net {

struct delivery_server::state : server_loop<delivery_service> {
  using server_loop::server_loop;
};

delivery_server::delivery_server(std::shared_ptr<state> s) : state_(std::move(s)) {}
delivery_server::delivery_server(delivery_server&&) noexcept = default;
delivery_server::~delivery_server() = default;

result<delivery_server> delivery_server::create(const delivery_server_options& options,
                                                const tls::context& tls,
                                                delivery::handler& handler) {
  auto made = std::make_shared<state>(
      tls, options, [options, &handler](connection from, asio::thread_pool& workers) {
        return std::make_shared<delivery_service>(std::move(from), options.bounds, handler, workers,
                                                  options.log);
      });
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

void delivery_server::run() { state_->run(); }
void delivery_server::stop() { state_->stop(); }
void delivery_server::use(const tls::context& tls) { state_->use(tls); }

}  // namespace ima::net
