#pragma once

#include "config.hpp"

#include <ima/net/dns.hpp>

#include <map>
#include <string>

namespace ima::tools {

/// Reads a `[hosts]` table: where a hostpart is reached without asking the DNS.
///
///     [hosts]
///     "b.example" = "127.0.0.1:20025"
///
/// Hostparts may be written as people read them; they are kept as they stand on the wire.
void read_hosts(config_table& config, std::map<std::string, std::string, std::less<>>& hosts);

/// Reads a `[dns]` table: whom to ask about the others.
///
///     [dns]
///     servers = ["127.0.0.1:5353"]
///     timeout = "3s"
void read_dns(config_table& config, net::dns_options& options);

}  // namespace ima::tools
