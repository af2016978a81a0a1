#pragma once

#include "config.hpp"

#include <ima/limits.hpp>

#include <cstddef>

namespace ima::tools {

/// Reads a number from 1 on into a `std::size_t`.
void read_count(config_table& config, std::string_view key, std::size_t& value);

/// Reads `max-size` and the table `[limits]` of a program that receives or sends mail
/// (docs/programs.md section 2). `more` reads what else a program has in that table.
void read_limits(config_table& config, limits& bounds, const config_table::reader& more = {});

/// Reads `workers` and all of read_limits(), with what a server's connections share.
/// `Options` are those of a server: bounds, workers, connections, connections_per_peer.
template <class Options>
void read_server_limits(config_table& config, Options& options) {
  read_count(config, "workers", options.workers);
  if (options.workers > 1000) config.reject("workers", "must be from 1 to 1000");
  read_limits(config, options.bounds, [&](config_table& table) {
    read_count(table, "connections", options.connections);
    read_count(table, "connections-per-peer", options.connections_per_peer);
  });
}

}  // namespace ima::tools
