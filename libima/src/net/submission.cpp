#include "support/try.hpp"

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

recipient_outcome::kind kind_of(delivery::outcome what) noexcept {
  switch (what) {
    case delivery::outcome::ok:
      return recipient_outcome::kind::ok;
    case delivery::outcome::defer:
      return recipient_outcome::kind::defer;
    case delivery::outcome::fail:
    case delivery::outcome::no_recipient:
      break;
  }
  return recipient_outcome::kind::fail;
}

send_verdict verdict_of(send_report::outcome what) noexcept {
  switch (what) {
    case send_report::outcome::delivered:
      return send_verdict::delivered;
    case send_report::outcome::refused:
      return send_verdict::refused;
    case send_report::outcome::deferred:
      return send_verdict::deferred;
    case send_report::outcome::mixed:
      break;
  }
  return send_verdict::mixed;
}

// Tells each recipient's result when all that will be known of his host is known: a line before the
// verdict may yet be taken back.
class teller : public send_observer {
 public:
  teller(const header_block& header, const retrieval::submission::tell_outcome& outcome,
         const retrieval::submission::tell_note& note)
      : recipients_(header.recipients()), outcome_(outcome), note_(note) {}

  void note(std::string_view host, std::string_view text) override { note_(host, text); }

  void finished(const host_report& host) override {
    std::vector<std::string> told;
    for (const auto& r : host.results) {
      outcome_({kind_of(r.what), r.recipient, r.text});
      told.push_back(r.recipient.key());
    }
    const auto what =
        host.permanent ? recipient_outcome::kind::fail : recipient_outcome::kind::defer;
    for (const address& a : recipients_)
      if (a.host() == host.host && std::ranges::find(told, a.key()) == told.end())
        outcome_({what, a, host.problem});
  }

 private:
  std::vector<address> recipients_;
  const retrieval::submission::tell_outcome& outcome_;
  const retrieval::submission::tell_note& note_;
};

}  // namespace

struct direct_submitter::state {
  tls::context tls;  // guarded by mutex
  sender_options options;
  std::mutex mutex;

  tls::context current() {
    const std::scoped_lock guard(mutex);
    return tls;
  }
};

direct_submitter::direct_submitter(const tls::context& tls, sender_options options)
    : state_(new state{tls, std::move(options), {}}) {}
direct_submitter::~direct_submitter() = default;

result<send_verdict> direct_submitter::send(const header_block& header, body_source& body,
                                            const retrieval::submission::tell_outcome& outcome,
                                            const retrieval::submission::tell_note& note) {
  teller told(header, outcome, note);
  sender_options options = state_->options;
  options.observer = &told;
  IMA_TRY(report, send_message(header, body, state_->current(), options));
  return verdict_of(report.what);
}

void direct_submitter::use(const tls::context& tls) {
  const std::scoped_lock guard(state_->mutex);
  state_->tls = tls;
}

}  // namespace ima::net
