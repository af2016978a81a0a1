#pragma once

#include "handlers.hpp"

#include <ima/net/sender.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ima::python {

using hosts = std::map<std::string, std::string>;

/// What whoever sends is told of hosts, with the log that it writes to.
struct sending_options {
  sending_options(const hosts& where, std::vector<std::string> dns_servers, const limits& bounds,
                  std::chrono::milliseconds header_round, const py::object& function)
      : log(log_from(function)) {
    sender.hosts.insert(where.begin(), where.end());
    sender.dns.servers = std::move(dns_servers);
    sender.bounds = bounds;
    sender.header_round = header_round;
    sender.log = log.get();
  }

  std::unique_ptr<log_sink> log;
  net::sender_options sender;
};

}  // namespace ima::python
