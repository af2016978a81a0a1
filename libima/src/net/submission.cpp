#include "service/queued_mail.hpp"
#include "support/try.hpp"

#include <ima/net/queue_runner.hpp>
#include <ima/net/submission.hpp>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace ima::net {

namespace {

using retrieval::recipient_outcome;
using retrieval::send_verdict;
using kind = recipient_outcome::kind;

// Tells each recipient's result when all that will be known of his host is known: a line before the
// verdict may yet be taken back.
class teller : public send_observer {
 public:
  teller(const header_block& header, const retrieval::submission::tell_outcome& outcome,
         const retrieval::submission::tell_note& note)
      : recipients_(header.recipients()), outcome_(outcome), note_(note) {}

  void note(std::string_view host, std::string_view text) override { note_(host, text); }
  void queued() override { for_now_ = kind::queued; }

  void finished(const host_report& host) override {
    std::vector<std::string> told;
    for (const auto& r : host.results) {
      tell({kind_of(r.what), r.recipient, r.text});
      told.push_back(r.recipient.key());
    }
    const auto what = host.permanent ? kind::fail : for_now_;
    for (const address& a : recipients_)
      if (a.host() == host.host && std::ranges::find(told, a.key()) == told.end())
        tell({what, a, host.problem});
  }

  send_verdict verdict() const { return retrieval::verdict_of(told_); }

 private:
  kind kind_of(delivery::outcome what) const noexcept {
    switch (what) {
      case delivery::outcome::ok:
        return kind::ok;
      case delivery::outcome::defer:
        return for_now_;
      case delivery::outcome::fail:
      case delivery::outcome::no_recipient:
        break;
    }
    return kind::fail;
  }

  void tell(const recipient_outcome& what) {
    told_.push_back(what);
    outcome_(what);
  }

  std::vector<address> recipients_;
  const retrieval::submission::tell_outcome& outcome_;
  const retrieval::submission::tell_note& note_;
  kind for_now_ = kind::defer;  // what a problem for now means
  std::vector<recipient_outcome> told_;
};

}  // namespace

struct submitter::state {
  // What one message is sent by.
  struct manner {
    tls::context tls;
    submitter_options options;
  };

  manner now;  // guarded by mutex
  std::mutex mutex;

  manner current() {
    const std::scoped_lock guard(mutex);
    return now;
  }
};

submitter::submitter(const tls::context& tls, submitter_options options)
    : state_(new state{{tls, std::move(options)}, {}}) {}
submitter::~submitter() = default;

result<send_verdict> submitter::send(const header_block& header, body_source& body,
                                     const retrieval::submission::tell_outcome& outcome,
                                     const retrieval::submission::tell_note& note) {
  teller told(header, outcome, note);
  auto [tls, by] = state_->current();
  by.sender.observer = &told;
  by.sender.policy = send_policy::all_or_none;
  IMA_CHECK(by.queue == nullptr ? send_message(header, body, tls, by.sender)
                                : send_or_queue(header, body, *by.queue, tls, by.sender, by.retry));
  return told.verdict();
}

result<std::vector<retrieval::queued_message>> submitter::queued(
    const std::vector<address>& senders) {
  const submitter_options by = state_->current().options;
  if (by.queue == nullptr) return mail_submitter::queued(senders);
  return service::queued_mail(*by.queue, senders, by.sender.bounds.queued);
}

void submitter::use(const tls::context& tls) {
  const std::scoped_lock guard(state_->mutex);
  state_->now.tls = tls;
}

void submitter::use(const sender_options& sender, const service::retry_policy& retry) {
  const std::scoped_lock guard(state_->mutex);
  state_->now.options.sender = sender;
  state_->now.options.retry = retry;
}

}  // namespace ima::net
