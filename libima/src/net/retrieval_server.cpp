#include "net/connection_bounds.hpp"
#include "net/retrieval_service.hpp"
#include "net/server_loop.hpp"
#include "net/threads.hpp"
#include "tls/context_content.hpp"

#include <ima/net/retrieval_server.hpp>

namespace ima::net {

struct retrieval_server::state : server_loop<retrieval_service> {
  state(const tls::context& tls, const retrieval_server_options& options,
        retrieval::authenticator& users)
      : server_loop(tls, options,
                    [this](connection from, asio::thread_pool& workers) {
                      return std::make_shared<retrieval_service>(std::move(from), office, workers);
                    }),
        office(std::make_shared<retrieval_office>(options, users, executor())) {}

  std::shared_ptr<retrieval_office> office;
};

retrieval_server::retrieval_server(std::shared_ptr<state> s) : state_(std::move(s)) {}
retrieval_server::retrieval_server(retrieval_server&&) noexcept = default;
retrieval_server::~retrieval_server() = default;

result<retrieval_server> retrieval_server::create(const retrieval_server_options& options,
                                                  const tls::context& tls,
                                                  retrieval::authenticator& users) {
  IMA_CHECK(tls::check_made_for(tls, tls::protocol::imrp));
  IMA_CHECK(check_connections(options.connections, options.connections_per_peer));
  IMA_CHECK(check_threads({options.workers, options.senders}));
  auto made = std::make_shared<state>(tls, options, users);
  IMA_CHECK(made->listen(options.listen));
  IMA_CHECK(made->expose(options.metrics_listen, options.metrics));
  return retrieval_server(std::move(made));
}

const std::vector<std::string>& retrieval_server::addresses() const noexcept {
  return state_->addresses();
}

const std::string& retrieval_server::metrics_address() const noexcept {
  return state_->metrics_address();
}

void retrieval_server::run() { state_->run(); }
void retrieval_server::stop() { state_->stop(); }
void retrieval_server::use(const tls::context& tls) { state_->use(tls); }

result<void> retrieval_server::use(const limits& bounds, std::size_t connections,
                                   std::size_t connections_per_peer) {
  IMA_CHECK(check_connections(connections, connections_per_peer));
  state_->on_loop([s = state_.get(), bounds, connections, connections_per_peer] {
    s->office->options.bounds = bounds;
    s->set_most(connections, connections_per_peer);
  });
  return {};
}

}  // namespace ima::net
