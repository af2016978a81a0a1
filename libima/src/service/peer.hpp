#pragma once

#include <ima/delivery/types.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace ima::service {

/// What a command is told of the peer (docs/delivery.md section 10.2); peer_from_environment()
/// reads it back.
std::vector<std::pair<std::string, std::string>> environment_of(const delivery::peer_info& peer);

/// The header block with this server's `received:` line, which may be one more than the limits
/// allow a sender; unchanged where no domain was verified. Errors as header_block::parse().
result<header_block> with_received(const header_block& header, const delivery::peer_info& peer,
                                   std::chrono::sys_seconds now, limits bounds);

}  // namespace ima::service
