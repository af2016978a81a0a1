#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/retrieval/backend.hpp>

#include <string_view>
#include <vector>

namespace ima::service {

/// Sends what a post office's users submit: straight to the recipients' hosts, or by way of a
/// queue. Called from many threads at once.
class mail_submitter {
 public:
  virtual ~mail_submitter() = default;

  /// Sends a message whose sender was found to be the user's, and tells what becomes of each
  /// recipient as it becomes known, one call at a time, on any thread. Blocks until a verdict is
  /// there. Errors mean that nothing was sent, or that nobody knows (fault::unknown).
  virtual result<retrieval::send_verdict> send(const header_block& header, body_source& body,
                                               const retrieval::submission::tell_outcome& outcome,
                                               const retrieval::submission::tell_note& note) = 0;

  /// What waits for `user`, who is any of these senders. Refusal `unsupported` where there is no
  /// queue.
  virtual result<std::vector<retrieval::queued_message>> queued(
      const std::vector<address>& senders);
};

}  // namespace ima::service
