#include "net/queue_clerk.hpp"

#include "message/no_limits.hpp"
#include "net/queued_results.hpp"
#include "support/told.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::net {

using std::chrono::sys_seconds;

queue_clerk::queue_clerk(service::queue& queue, const service::retry_policy& retry, log_sink* log)
    : queue_(queue), retry_(retry), log_(log) {}

void queue_clerk::log(log_level level, std::string_view name, std::string_view id,
                      std::string_view host, std::string text) const {
  if (log_ == nullptr) return;
  log_event event{level, name, {}};
  if (!id.empty()) event.fields.emplace_back("message", id);
  if (!host.empty()) event.fields.emplace_back("host", host);
  if (!text.empty()) event.fields.emplace_back("text", std::move(text));
  log_->write(event);
}

void queue_clerk::log_result(std::string_view id, std::string_view host,
                             const delivery::recipient_result& r) const {
  if (log_ != nullptr)
    log_->write({log_level::info,
                 "queue-result",
                 {{"message", std::string(id)},
                  {"host", std::string(host)},
                  {"recipient", std::string(r.recipient.text())},
                  {"result", std::string(to_string(r.what))},
                  {"text", r.text}}});
}

sys_seconds queue_clerk::next_try_of(const lane& l) const {
  return next_try(retry_, l.failures, now());
}

bool queue_clerk::too_old(sys_seconds created) const { return retry_.over(created, now()); }

result<void> queue_clerk::finish(const std::string& id, const std::string& host) const {
  IMA_TRY(mine, queue_.claim(id, host));
  if (!mine) return {};
  return queue_.settle(*mine);
}

result<looked_at> queue_clerk::look_at(const std::string& id) const {
  IMA_TRY(message, queue_.read(id));
  looked_at out{std::move(message), {}};
  for (const service::queued_host& h : out.message.hosts) {
    if (h.open()) continue;
    if (auto done = finish(id, h.host); !done) out.problem = std::move(done).error();
  }
  return out;
}

result<service::message_file> queue_clerk::open(const std::string& id) const {
  IMA_CHECK(queue_.header(id));  // else it is another message than was queued
  return service::message_file::open(queue_.message_path(id), no_message_limits());
}

// What the disk did not keep as it was given cannot be delivered; its sender is told.
result<turn> queue_clerk::fail_damaged(service::host_claim& claim, const error& why) const {
  host_report report;
  report.host = claim.state().host;
  report.permanent = true;
  report.problem = "damaged in the queue: " + told(why);
  IMA_CHECK(write_down(claim, report, now()));
  return turn{};
}

// Its receivers may not know any more whether they have it (docs/delivery.md section 5).
result<turn> queue_clerk::give_up(service::host_claim& claim, sys_seconds created) const {
  host_report report;
  report.host = claim.state().host;
  report.problem = claim.state().tries > 0 ? claim.state().problem : "it was never tried";
  IMA_CHECK(write_down(claim, report, created));
  return turn{};
}

result<turn> queue_clerk::take_up(const waiting& w, const std::string& host,
                                  bool with_message) const {
  turn t;
  auto about = queue_.read(w.id);
  if (!about && about.error().rule == "queue-id") return t;
  if (!about) return std::move(about).error();
  if (about->held) return t;
  IMA_TRY(mine, queue_.claim(w.id, host));
  if (!mine) {
    t.later = now() + elsewhere;
    return t;
  }
  if (!mine->state().open()) {
    IMA_CHECK(queue_.settle(*mine));
    return t;
  }
  if (mine->state().next > now()) {
    t.later = mine->state().next;
    return t;
  }
  if (with_message && too_old(about->created)) return give_up(*mine, about->created);
  if (with_message) {
    auto message = open(w.id);
    if (!message && message.error().kind == fault::peer)
      return fail_damaged(*mine, message.error());
    if (!message) return std::move(message).error();
    t.message.emplace(std::move(*message));
  }
  t.claim.emplace(std::move(*mine));
  return t;
}

result<next_due> queue_clerk::write_down(service::host_claim& claim, const host_report& report,
                                         sys_seconds created) const {
  const auto results = results_to_keep(report, claim.state(), too_old(created));
  const sys_seconds next = next_try(retry_, claim.state().tries, now());
  IMA_CHECK(claim.record(results, report.problem, next));
  for (const auto& r : results) log_result(claim.id(), report.host, r);
  if (claim.state().open()) return next_due(next);
  IMA_CHECK(queue_.settle(claim));
  return next_due();
}

result<next_due> queue_clerk::write_down_failure(const waiting& w,
                                                 const host_report& report) const {
  IMA_TRY(mine, take_up(w, report.host, false));
  if (!mine.claim) return mine.later;
  return write_down(*mine.claim, report, w.created);
}

}  // namespace ima::net
