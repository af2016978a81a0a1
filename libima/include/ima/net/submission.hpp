#pragma once

#include <ima/export.hpp>
#include <ima/net/sender.hpp>
#include <ima/service/submission.hpp>
#include <ima/tls/context.hpp>

#include <memory>

namespace ima::net {

/// Sends what users submit straight to the recipients' hosts (send_message()), without a queue: it
/// is sent to all or to nobody. `options.observer` is its own. Thread-safe.
class IMA_API direct_submitter : public service::mail_submitter {
 public:
  direct_submitter(const tls::context& tls, sender_options options);
  ~direct_submitter() override;

  result<retrieval::send_verdict> send(const header_block& header, body_source& body,
                                       const retrieval::submission::tell_outcome& outcome,
                                       const retrieval::submission::tell_note& note) override;

  /// Messages that are sent from now on use `tls`. Thread-safe.
  void use(const tls::context& tls);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::net
