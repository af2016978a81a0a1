#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace ima::net {

/// How hosts are looked up (docs/delivery.md section 1).
struct dns_options {
  /// Whom to ask: "127.0.0.1:5353", "[::1]:53", "192.0.2.1". Empty: whom the system asks.
  std::vector<std::string> servers;
  std::chrono::milliseconds timeout{3'000};  ///< For the first try of a question.
  std::chrono::milliseconds total{15'000};   ///< For one question with all its tries.

  friend bool operator==(const dns_options&, const dns_options&) = default;
};

}  // namespace ima::net
