#include "limits.hpp"

namespace ima::tools {
namespace {

void read_time(config_table& table, std::string_view key, std::chrono::milliseconds& value) {
  table.read(key, value);
  if (value.count() == 0) table.reject(key, "must be more than nothing");
}

void read_size(config_table& table, std::string_view key, std::size_t& value) {
  std::uint64_t octets = value;
  table.read_octets(key, octets);
  value = octets;
}

}  // namespace

void read_count(config_table& config, std::string_view key, std::size_t& value) {
  std::uint64_t number = value;
  config.read(key, number);
  if (number == 0) return config.reject(key, "must be at least 1");
  value = number;
}

void read_limits(config_table& config, limits& bounds, const config_table::reader& more) {
  config.read_octets("max-size", bounds.body);
  config.table("limits", [&](config_table& table) {
    read_size(table, "header-block", bounds.header_block);
    read_count(table, "recipients", bounds.recipients);
    read_count(table, "received", bounds.received);
    read_count(table, "messages-per-connection", bounds.offers);
    read_count(table, "recipients-per-connection", bounds.offered_recipients);
    read_count(table, "notes", bounds.notes);
    read_time(table, "handshake-time", bounds.handshake);
    read_time(table, "line-time", bounds.line);
    read_time(table, "idle-time", bounds.idle);
    read_time(table, "watching-time", bounds.watching);
    read_time(table, "accept-time", bounds.accept_lapse);
    read_time(table, "body-time", bounds.body_grace);
    table.read("body-rate", bounds.body_rate);
    read_time(table, "connection-time", bounds.connection);
    read_time(table, "stop-time", bounds.stopping);
    if (more) more(table);
  });
}

}  // namespace ima::tools
