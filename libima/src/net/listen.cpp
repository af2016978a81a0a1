#include "net/listen.hpp"

#include "net/endpoint.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::net {

result<tcp::acceptor> listen_on(asio::io_context& loop, const std::string& where) {
  IMA_TRY(parts, split_endpoint(where));
  asio::error_code failed;
  const auto address = asio::ip::make_address(parts.host, failed);
  const auto bad = [&](const std::string& why) {
    return error{fault::caller, "listen", "", fmt::format("cannot listen on {}: {}", where, why)};
  };
  if (failed) return bad(failed.message());
  const auto port = static_cast<asio::ip::port_type>(*wire::parse_number(parts.port));
  const tcp::endpoint endpoint(address, port);
  tcp::acceptor acceptor(loop);
  acceptor.open(endpoint.protocol(), failed);
  if (!failed) acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
  if (!failed) acceptor.bind(endpoint, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) return bad(failed.message());
  return acceptor;
}

}  // namespace ima::net
