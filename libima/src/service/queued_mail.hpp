#pragma once

#include <ima/address.hpp>
#include <ima/error.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/service/queue.hpp>

#include <cstddef>
#include <vector>

namespace ima::service {

/// What waits in a queue of the messages that one of `senders` sends, the oldest first: one for
/// each recipient, at most `limit`. Errors: those of the queue.
result<std::vector<retrieval::queued_message>> queued_mail(const queue& from,
                                                           const std::vector<address>& senders,
                                                           std::size_t limit);

}  // namespace ima::service
