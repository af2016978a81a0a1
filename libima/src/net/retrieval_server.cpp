#include "net/retrieval_service.hpp"
#include "net/server_loop.hpp"

#include <ima/net/retrieval_server.hpp>

namespace ima::net {

struct retrieval_server::state : server_loop<retrieval_service> {
  using server_loop::server_loop;
};

retrieval_server::retrieval_server(std::shared_ptr<state> s) : state_(std::move(s)) {}
retrieval_server::retrieval_server(retrieval_server&&) noexcept = default;
retrieval_server::~retrieval_server() = default;

result<retrieval_server> retrieval_server::create(const retrieval_server_options& options,
                                                  const tls::context& tls,
                                                  retrieval::authenticator& users) {
  auto office = std::make_shared<std::shared_ptr<retrieval_office>>();
  auto made =
      std::make_shared<state>(tls, options, [office](connection from, asio::thread_pool& workers) {
        return std::make_shared<retrieval_service>(std::move(from), *office, workers);
      });
  *office = std::make_shared<retrieval_office>(options, users, made->executor());
  IMA_CHECK(made->listen(options.listen));
  return retrieval_server(std::move(made));
}

const std::vector<std::string>& retrieval_server::addresses() const noexcept {
  return state_->addresses();
}

void retrieval_server::run() { state_->run(); }
void retrieval_server::stop() { state_->stop(); }
void retrieval_server::use(const tls::context& tls) { state_->use(tls); }

}  // namespace ima::net
