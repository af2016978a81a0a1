#include "net/listen.hpp"

#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::net {

result<host_and_port> split_endpoint(std::string_view text, std::string_view default_port) {
  const error bad{fault::caller, "endpoint", "",
                  fmt::format("'{}' is not like 127.0.0.1:20025 or [::1]:20025", text)};
  std::string_view host = text;
  std::string_view port = default_port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad;
    host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text[0] != ':') return bad;
    if (!text.empty()) port = text.substr(1);
  } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto number = wire::parse_number(port);
  if (host.empty() || !number || *number > 65535) return bad;
  return host_and_port{std::string(host), std::string(port)};
}

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
