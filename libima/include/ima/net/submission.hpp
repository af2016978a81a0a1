#pragma once

#include <ima/export.hpp>
#include <ima/net/sender.hpp>
#include <ima/service/queue.hpp>
#include <ima/service/submission.hpp>
#include <ima/tls/context.hpp>

#include <memory>
#include <vector>

namespace ima::net {

/// How users' mail is sent.
struct submitter_options {
  sender_options sender;             ///< Its `observer` and `policy` are not looked at.
  service::queue* queue = nullptr;   ///< Not owned; null: a message is sent to all or to nobody.
  service::retry_policy retry = {};  ///< Of what is queued.
};

/// Sends what users submit to the recipients' hosts: by way of a queue (send_or_queue()), which a
/// queue_runner empties, or without one (send_message()). Thread-safe.
class IMA_API submitter : public service::mail_submitter {
 public:
  /// What `options` points to outlives it. The context is made for tls::protocol::imdp; another
  /// fails each message with `tls-protocol`.
  submitter(const tls::context& tls, submitter_options options);
  ~submitter() override;

  result<retrieval::send_verdict> send(const header_block& header, body_source& body,
                                       const retrieval::submission::tell_outcome& outcome,
                                       const retrieval::submission::tell_note& note) override;
  result<std::vector<retrieval::queued_message>> queued(
      const std::vector<address>& senders) override;

  /// Messages that are sent from now on use `tls`. Thread-safe.
  void use(const tls::context& tls);
  /// And go by `sender` and `retry`. Thread-safe.
  void use(const sender_options& sender, const service::retry_policy& retry);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::net
