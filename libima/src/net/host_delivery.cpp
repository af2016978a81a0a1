#include "net/host_delivery.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima::net {

using delivery::outcome;

host_delivery::host_delivery(std::shared_ptr<delivery_link> link, const header_block& whole,
                             body_source& body, send_observer* watcher, log_sink* log)
    : link_(std::move(link)),
      header_(whole.for_host(link_->host())),
      body_(body),
      watcher_(watcher),
      log_(log) {
  report_.host = link_->host();
  about_.hear = [this](const delivery::client_event& event) { hear(event); };
  for (const address& a : header_.recipients())
    if (a.host() == report_.host) report_.results.push_back({a, outcome::defer, ""});
}

void host_delivery::trace(std::string_view name, std::string text) const {
  if (log_ == nullptr) return;
  log_->write({log_level::debug, name, {{"host", report_.host}, {"text", std::move(text)}}});
}

void host_delivery::hear(const delivery::client_event& event) {
  if (const auto* r = std::get_if<delivery::recipient_reported>(&event)) {
    trace("recipient",
          fmt::format("{} {} {}", to_string(r->line.what), r->line.recipient.text(), r->line.text));
    if (watcher_ != nullptr) watcher_->recipient(report_.host, r->line);
  } else if (const auto* n = std::get_if<delivery::note_received>(&event)) {
    trace("note", n->text);
    report_.notes.push_back(n->text);
    if (watcher_ != nullptr) watcher_->note(report_.host, n->text);
  }
}

awaitable<void> host_delivery::ask(std::chrono::steady_clock::time_point until) {
  if (!link_->usable()) {
    if (auto open = co_await link_->open(until); !open) about_.problem = std::move(open).error();
    about_.over = about_.problem.has_value();
  }
  if (!about_.over) {
    trace("offered",
          fmt::format("{} octets of header, {} of body", header_.size(), header_.body_size()));
    co_await link_->offer(header_, about_, until);
  }
  if (about_.over)
    settle();
  else
    trace("accepted", "");
  if (watcher_ != nullptr) watcher_->answered(report_.host, report_.problem);
}

awaitable<void> host_delivery::send() {
  if (!about_.over) {
    began_ = true;
    co_await link_->send_body(header_, body_, about_);
  }
  settle();
}

void host_delivery::withdraw(bool permanent, const std::string& why) {
  if (about_.over) return settle();
  link_->withdraw();
  about_.over = true;
  report_.withdrawn = true;
  report_.problem = why;
  report_.permanent = permanent;
  for (auto& r : report_.results)
    r = {r.recipient, permanent ? outcome::fail : outcome::defer, why};
}

// What is known is final.
void host_delivery::settle() {
  if (about_.complete) {
    report_.results = about_.complete->results;
    trace("verdict", std::string(to_string(about_.complete->what)));
  } else if (about_.declined) {
    const delivery::offer_declined& d = *about_.declined;
    report_.results = d.results;
    report_.permanent = d.permanent;
    report_.problem = fmt::format("{} {}{}{}", d.permanent ? "REJECT" : "DEFER", d.word,
                                  d.text.empty() ? "" : " ", d.text);
    trace("declined", report_.problem);
  } else if (about_.problem) {
    fail(*about_.problem);
  }
}

// Only what a domain itself says for good is for good (docs/delivery.md section 8).
void host_delivery::fail(const error& why) {
  report_.permanent = why.kind == fault::refused;
  report_.unknown = why.kind == fault::unknown;
  report_.problem = why.message();
  const outcome what = report_.permanent ? outcome::fail : outcome::defer;
  for (auto& r : report_.results) r = {r.recipient, what, why.text};
  trace("delivery-failed", report_.problem);
}

bool host_delivery::content() const {
  if (!about_.over) return about_.accepted;
  return report_.problem.empty() &&
         std::all_of(report_.results.begin(), report_.results.end(),
                     [](const auto& r) { return r.what == outcome::ok; });
}

bool host_delivery::refused() const {
  if (!about_.over) return false;
  return report_.permanent ||
         std::any_of(report_.results.begin(), report_.results.end(), [](const auto& r) {
           return r.what == outcome::fail || r.what == outcome::no_recipient;
         });
}

}  // namespace ima::net
