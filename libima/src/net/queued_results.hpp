#pragma once

#include <ima/header.hpp>
#include <ima/net/sender.hpp>
#include <ima/service/queue.hpp>

#include <chrono>
#include <string_view>
#include <vector>

namespace ima::net {

/// The header block with an envelope of those recipients of `host` who still wait, where some are
/// done with: they stand in `for:` lines, which do not change the digest (docs/message.md section
/// 6). The whole block where that would be over a limit of `bounds`: those who have it say so
/// again.
header_block for_those_who_wait(const header_block& whole, const service::queued_host& host,
                                const limits& bounds);

/// What is to be kept of a try: its results, or failures where the message is too old to wait on.
std::vector<delivery::recipient_result> results_to_keep(const host_report& report,
                                                        const service::queued_host& host,
                                                        bool too_old);

/// When a host is tried again after its tries so far.
std::chrono::sys_seconds next_try(const service::retry_policy& retry, std::uint64_t tries,
                                  std::chrono::sys_seconds now);

}  // namespace ima::net
