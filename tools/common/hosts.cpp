#include "hosts.hpp"

#include <ima/address.hpp>

#include <charconv>
#include <cstdint>

namespace ima::tools {
namespace {

// "127.0.0.1:20025", "[::1]:20025", "host.example:20025"
bool is_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !(host.front() == '[' && host.back() == ']')) {
    return false;
  }
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data() + colon + 1, end, port);
  return problem == std::errc() && rest == end && port != 0;
}

}  // namespace

void read_hosts(config_table& config, std::map<std::string, std::string, std::less<>>& hosts) {
  config_table::text_map written;
  config.read("hosts", written);
  for (const auto& [host, endpoint] : written) {
    auto hostpart = hostpart_from_unicode(host);
    if (!hostpart) return config.reject("hosts", hostpart.error().text);
    if (!is_endpoint(endpoint)) {
      return config.reject("hosts", "\"" + endpoint + "\" is not an address with a port");
    }
    hosts.insert_or_assign(*std::move(hostpart), endpoint);
  }
}

void read_dns(config_table& config, net::dns_options& options) {
  config.table("dns", [&](config_table& dns) {
    dns.read("servers", options.servers);
    dns.read("timeout", options.timeout);
    dns.read("total", options.total);
  });
}

}  // namespace ima::tools
