#pragma once

#include "net/asio.hpp"
#include "net/service_records.hpp"

#include <ima/error.hpp>
#include <ima/net/dns.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ima::net {

/// Asks the DNS on an event loop; each question gives up at its `until`, or after the options'
/// total time. Built without c-ares it knows no SRV records, asks whom the system asks, and takes
/// the system's time.
class resolver {
 public:
  /// Errors: fault::caller `dns-server`; fault::temporary `dns`.
  static result<resolver> create(asio::io_context& loop, const dns_options& options);
  resolver(resolver&&) noexcept;
  resolver& operator=(resolver&&) = delete;
  ~resolver();

  /// The SRV records of `name`; none where there is no such name or no such record. Error:
  /// fault::temporary `dns`.
  awaitable<result<std::vector<service_record>>> services(
      std::string name, std::chrono::steady_clock::time_point until);

  /// The addresses of `host`, each with `port`. Errors: fault::refused `no-domain` (the DNS says
  /// that there is none), fault::temporary `dns`.
  awaitable<result<std::vector<tcp::endpoint>>> addresses(
      std::string host, std::uint16_t port, std::chrono::steady_clock::time_point until);

 private:
  struct state;
  explicit resolver(std::shared_ptr<state> s);
  std::shared_ptr<state> state_;
};

}  // namespace ima::net
