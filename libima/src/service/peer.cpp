#include "service/peer.hpp"

#include <ima/date.hpp>
#include <ima/service/incoming.hpp>

#include <fmt/format.h>

#include <cstdlib>

namespace ima::service {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> environment_of(const delivery::peer_info& peer) {
  return {{"IMA_HOST", peer.host},
          {"IMA_VERIFIED_DOMAIN", peer.verified_domain},
          {"IMA_PEER", peer.address},
          {"IMA_PEER_TLS", peer.tls},
          {"IMA_PEER_CERTIFICATE", peer.certificate.hex()}};
}

delivery::peer_info peer_from_environment() {
  delivery::peer_info peer;
  peer.host = variable("IMA_HOST");
  peer.verified_domain = variable("IMA_VERIFIED_DOMAIN");
  peer.address = variable("IMA_PEER");
  peer.tls = variable("IMA_PEER_TLS");
  if (auto sum = digest::parse(variable("IMA_PEER_CERTIFICATE")); sum) peer.certificate = *sum;
  return peer;
}

limits with_room_for_received(limits bounds) noexcept {
  bounds.received += 1;
  bounds.header_block += bounds.header_line;
  return bounds;
}

result<header_block> with_received(const header_block& header, const delivery::peer_info& peer,
                                   std::chrono::sys_seconds now, limits bounds) {
  if (peer.verified_domain.empty()) return header;
  return header.with_line(fmt::format("received: {} by={} from={} peer={} tls={} certificate={}",
                                      timestamp{now, {}}.text(), peer.host, peer.verified_domain,
                                      peer.address, peer.tls, peer.certificate.hex()),
                          with_room_for_received(bounds));
}

}  // namespace ima::service
