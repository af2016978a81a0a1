#include "net/queued_results.hpp"
#include "support/try.hpp"

#include <ima/net/queue_runner.hpp>

#include <optional>
#include <utility>

namespace ima::net {
namespace {

// Puts the message into the queue before the bodies go out, and writes down what became of it.
class queueing : public send_observer {
 public:
  queueing(const header_block& header, body_source& body, service::queue& queue,
           const service::retry_policy& retry, send_observer* also)
      : header_(header),
        body_(body),
        queue_(queue),
        retry_(retry),
        also_(also != nullptr ? *also : deaf_) {}

  void answered(std::string_view host, std::string_view said) override {
    also_.answered(host, said);
  }
  void recipient(std::string_view host, const delivery::recipient_result& line) override {
    also_.recipient(host, line);
  }
  void note(std::string_view host, std::string_view text) override { also_.note(host, text); }
  void finished(const host_report& host) override { also_.finished(host); }

  result<void> before_bodies(const std::vector<host_report>& hosts) override {
    IMA_CHECK(also_.before_bodies(hosts));
    auto added = queue_.add(header_, body_);
    if (!added) return not_queued(std::move(added).error());
    in_queue = true;
    also_.queued();
    if (added->already)
      return error{fault::temporary, "queue-busy", added->id,
                   "this message is in the queue already"};
    claims_ = std::move(added->claims);
    return {};
  }

  void keep(const host_report& host) override {
    for (service::host_claim& claim : claims_)
      if (claim.state().host == host.host)
        if (auto kept = write(claim, host); !kept && !problem) problem = std::move(kept).error();
    also_.keep(host);
  }

  bool in_queue = false;
  std::optional<error> problem;  // what could not be queued, or written down and is tried again

 private:
  // Its reason reaches strangers by a host's report, which must not name our paths.
  error not_queued(error why) {
    problem = why;
    why.place.clear();
    return why;
  }

  result<void> write(service::host_claim& claim, const host_report& host) {
    IMA_CHECK(claim.record(results_to_keep(host, claim.state(), false), host.problem,
                           next_try(retry_, claim.state().tries, queue_.disk().now())));
    if (claim.state().open()) return {};
    if (claim.state().failed()) IMA_CHECK(claim.mark_reported());  // by our own report
    return queue_.settle(claim);
  }

  const header_block& header_;
  body_source& body_;
  service::queue& queue_;
  const service::retry_policy& retry_;
  send_observer deaf_;
  send_observer& also_;
  std::vector<service::host_claim> claims_;
};

}  // namespace

result<send_report> send_or_queue(const header_block& header, body_source& body,
                                  service::queue& queue, const tls::context& tls,
                                  const sender_options& options,
                                  const service::retry_policy& retry) {
  queueing observer(header, body, queue, retry, options.observer);
  sender_options with_queue = options;
  with_queue.policy = send_policy::send_the_rest;
  with_queue.observer = &observer;
  IMA_TRY(report, send_message(header, body, tls, with_queue));
  report.queued = observer.in_queue;
  if (observer.problem && options.log != nullptr)
    options.log->write({log_level::error, "queue-failed", {{"text", observer.problem->message()}}});
  return std::move(report);
}

}  // namespace ima::net
