#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ima::net {

/// One SRV record (RFC 2782).
struct service_record {
  std::string target;
  std::uint16_t port = 0;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
};

/// A number from 0 to `most`, both included.
using pick_number = std::function<std::uint32_t(std::uint32_t most)>;

/// Puts records into the order in which they are tried: by priority, and among equals by a draw in
/// which a larger weight is likelier to come first (RFC 2782).
std::vector<service_record> in_order(std::vector<service_record> records, const pick_number& pick);

/// The one record with the target "." by which a domain says that it has no such service.
bool says_no_service(const std::vector<service_record>& records);

}  // namespace ima::net
