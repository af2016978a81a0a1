#include "net/delivery_link.hpp"
#include "net/host_delivery.hpp"
#include "net/queued_results.hpp"
#include "net/worker.hpp"
#include "support/try.hpp"

#include <ima/address.hpp>
#include <ima/net/queue_runner.hpp>
#include <ima/service/message_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ima::net {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::sys_seconds;

constexpr std::chrono::seconds connecting{60};
constexpr std::chrono::seconds elsewhere{30};  // until a message in other hands is looked at again
constexpr std::size_t batch = 64;              // messages read on one trip to the workers
constexpr std::size_t most_known = 100'000;    // hosts that are remembered to answer
constexpr std::size_t for_one_more = 8;        // messages due that are worth another connection

// A host's share of a message, in the order in which they are due.
struct waiting {
  sys_seconds next;
  sys_seconds created;
  std::string id;

  friend bool operator<(const waiting& a, const waiting& b) {
    return std::tie(a.next, a.id) < std::tie(b.next, b.id);
  }
};

// Everything that goes to one host under one of our domains.
struct lane {
  std::string host;
  std::string sender;
  std::set<waiting> queue;
  std::size_t running = 0;     // connections
  std::uint64_t failures = 0;  // to connect, one after the other
  bool answered = false;       // the last one connected
  sys_seconds not_before{};

  bool due(sys_seconds now) const {
    return !queue.empty() && queue.begin()->next <= now && not_before <= now;
  }
  std::size_t due_count(sys_seconds now, std::size_t most) const {
    std::size_t count = 0;
    for (auto w = queue.begin(); w != queue.end() && w->next <= now && count < most; ++w) ++count;
    return count;
  }
};

// What there is to do about a message whose turn has come: all empty where it is gone or held.
struct turn {
  std::optional<service::host_claim> claim;
  std::optional<service::message_file> message;  // where it is to be sent
  std::optional<sys_seconds> later;
};

}  // namespace

struct queue_runner::state : std::enable_shared_from_this<state> {
  state(service::queue& q, const queue_runner_options& o)
      : options(o), queue(q), workers(o.workers), pause(loop), again(loop) {}

  awaitable<void> keep_running(bool once);
  awaitable<result<void>> scan();
  awaitable<void> take_in(std::vector<std::string> ids);
  result<service::queued_message> look_at(const std::string& id) const;
  void take(const service::queued_message& message);
  void put(const std::string& host, const std::string& sender, waiting w);

  void start_lanes();
  void start_lanes_soon();
  std::size_t share_of(const lane& l) const;
  void start(const std::shared_ptr<lane>& l);
  awaitable<void> serve(std::shared_ptr<lane> l);
  awaitable<void> attempt(lane& l, std::shared_ptr<delivery_link> link, waiting w);
  awaitable<void> cannot_connect(lane& l, error why);
  awaitable<void> keep_failure(lane& l, waiting w, const host_report& report);

  result<turn> fail_damaged(service::host_claim& claim, const error& why) const;
  result<turn> take_up(const waiting& w, const std::string& host, bool with_message) const;
  result<std::optional<sys_seconds>> write_down(service::host_claim& claim,
                                                const host_report& report,
                                                sys_seconds created) const;
  void put_back(lane& l, waiting w, const result<std::optional<sys_seconds>>& next);
  void stop_if_idle() {
    if (stopping && in_hand == 0) loop.stop();
  }
  sys_seconds now() const { return queue.disk().now(); }
  bool too_old(sys_seconds created) const { return now() >= created + options.retry.lifetime; }
  void log(log_level level, std::string_view name, std::string_view id, std::string_view host,
           std::string text) const {
    if (options.log != nullptr)
      options.log->write(
          {level,
           name,
           {{"message", std::string(id)}, {"host", std::string(host)}, {"text", std::move(text)}}});
  }

  asio::io_context loop{1};
  queue_runner_options options;
  service::queue& queue;
  asio::thread_pool workers;
  std::optional<resolver> dns;
  std::optional<sending_means> means;
  asio::steady_timer pause;  // between scans
  asio::steady_timer again;  // before lanes are started anew
  bool again_waits = false;
  std::unordered_map<std::string, std::shared_ptr<lane>> lanes;
  std::unordered_set<std::string> known;  // messages
  std::unordered_set<std::string> alive;  // lanes whose host answered last time
  std::uint64_t changes = 0;
  std::size_t active = 0;   // connections
  std::size_t in_hand = 0;  // messages being offered or sent
  bool stopping = false;
  std::optional<error> problem;
};

// --- What is in the queue ---

awaitable<void> queue_runner::state::keep_running(bool once) {
  const auto swept = co_await on_worker(workers, [&] { return queue.sweep(); });
  if (!swept) log(log_level::warning, "queue-sweep-failed", "", "", swept.error().message());
  auto good = co_await scan();
  if (!good) problem = std::move(good).error();
  if (problem) co_return;
  start_lanes();
  while (!once && !stopping) {
    pause.expires_after(options.scan);
    co_await pause.async_wait(as_result);
    auto looked = co_await scan();
    if (!looked) log(log_level::error, "queue-unreadable", "", "", looked.error().message());
    start_lanes();
  }
}

awaitable<result<void>> queue_runner::state::scan() {
  const auto changed = co_await on_worker(workers, [&] { return queue.changes(); });
  if (!changed) co_return changed.error();
  const auto ids = co_await on_worker(workers, [&] { return queue.ids(); });
  if (!ids) co_return ids.error();
  if (changes != *changed) {  // an operator held, released or hurried something
    known.clear();
    for (auto& [key, l] : lanes) {
      l->queue.clear();
      l->not_before = {};
    }
  }
  changes = *changed;
  std::unordered_set<std::string> listed;
  std::vector<std::string> fresh;
  for (const std::string& id : *ids) {
    listed.insert(id);
    if (!known.contains(id)) fresh.push_back(id);
    if (fresh.size() == batch) co_await take_in(std::exchange(fresh, {}));
  }
  co_await take_in(std::move(fresh));
  std::erase_if(known, [&](const std::string& id) { return !listed.contains(id); });
  co_return result<void>();
}

awaitable<void> queue_runner::state::take_in(std::vector<std::string> ids) {
  const auto found = co_await on_worker(workers, [&] {
    std::vector<result<service::queued_message>> out;
    for (const std::string& id : ids) out.push_back(look_at(id));
    return out;
  });
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (found[i]) {
      known.insert(ids[i]);
      take(*found[i]);
    } else if (found[i].error().rule != "queue-id") {  // it is gone: somebody was faster
      log(log_level::error, "queue-unreadable", ids[i], "", found[i].error().message());
    }
  }
}

// Reads it, and finishes what a process that died left to be done about hosts that are final.
result<service::queued_message> queue_runner::state::look_at(const std::string& id) const {
  IMA_TRY(message, queue.read(id));
  for (const service::queued_host& h : message.hosts) {
    if (h.open()) continue;
    IMA_TRY(mine, queue.claim(id, h.host));
    if (mine) IMA_CHECK(queue.settle(*mine));
  }
  return std::move(message);
}

void queue_runner::state::take(const service::queued_message& message) {
  if (message.held) return;
  const std::string sender = message.originator.substr(message.originator.rfind('@') + 1);
  for (const service::queued_host& h : message.hosts)
    if (h.open()) put(h.host, sender, {h.next, message.created, message.id});
}

void queue_runner::state::put(const std::string& host, const std::string& sender, waiting w) {
  auto& l = lanes[host + ' ' + sender];
  if (!l)
    l = std::make_shared<lane>(
        lane{host, sender, {}, 0, 0, alive.contains(host + ' ' + sender), {}});
  l->queue.insert(std::move(w));
}

// --- Who gets a connection ---

// Hosts that answer may use all connections; those nobody knows yet leave some free, and those that
// did not answer leave more. So a crowd of dead hosts cannot keep the living waiting.
std::size_t queue_runner::state::share_of(const lane& l) const {
  if (l.answered) return options.connections;
  const std::size_t share = options.connections * (l.failures == 0 ? 3 : 2) / 4;
  return std::max<std::size_t>(1, share);
}

void queue_runner::state::start_lanes() {
  if (stopping) return;
  std::erase_if(lanes,
                [](const auto& l) { return l.second->queue.empty() && l.second->running == 0; });
  const sys_seconds present = now();
  std::vector<std::shared_ptr<lane>> ready;
  for (const auto& [key, l] : lanes)
    if (l->due(present) && l->running < options.per_host) ready.push_back(l);
  std::sort(ready.begin(), ready.end(), [](const auto& a, const auto& b) {
    return std::tuple(!a->answered, a->failures > 0, a->queue.begin()->next) <
           std::tuple(!b->answered, b->failures > 0, b->queue.begin()->next);
  });
  for (const auto& l : ready) {
    const std::size_t worth =
        l->answered ? 1 + l->due_count(present, for_one_more * options.per_host) / for_one_more : 1;
    while (l->running < std::min(worth, options.per_host) && active < share_of(*l)) start(l);
  }
}

// Many connections that end together are one occasion.
void queue_runner::state::start_lanes_soon() {
  if (std::exchange(again_waits, true)) return;
  again.expires_after(std::chrono::milliseconds(5));
  again.async_wait([this](asio::error_code cancelled) {
    again_waits = false;
    if (!cancelled) start_lanes();
  });
}

void queue_runner::state::start(const std::shared_ptr<lane>& l) {
  ++l->running;
  ++active;
  asio::co_spawn(loop, serve(l), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
}

// --- One connection ---

awaitable<void> queue_runner::state::serve(std::shared_ptr<lane> l) {
  const auto link = std::make_shared<delivery_link>(*means, l->host, l->sender);
  auto open = co_await link->open(clock::now() + connecting);
  if (alive.size() > most_known) alive.clear();
  if (open) {
    alive.insert(l->host + ' ' + l->sender);
    l->answered = true;
    l->failures = 0;
    while (!stopping && link->usable() && l->due(now())) {
      waiting w = *l->queue.begin();
      l->queue.erase(l->queue.begin());
      co_await attempt(*l, link, std::move(w));
    }
    co_await link->close();
  } else {
    co_await cannot_connect(*l, std::move(open).error());
  }
  --l->running;
  --active;
  start_lanes_soon();
}

awaitable<void> queue_runner::state::attempt(lane& l, std::shared_ptr<delivery_link> link,
                                             waiting w) {
  ++in_hand;
  auto got = co_await on_worker(workers, [&] { return take_up(w, l.host, true); });
  if (got && got->message) {
    const header_block header = for_those_who_wait(got->message->header(), got->claim->state());
    host_delivery d(link, header, *got->message, nullptr, options.log);
    co_await d.ask(clock::now() + connecting);
    if (d.accepted()) co_await d.send();
    const auto next =
        co_await on_worker(workers, [&] { return write_down(*got->claim, d.report(), w.created); });
    put_back(l, w, next);
  } else if (got) {
    put_back(l, w, got->later);
  } else {
    put_back(l, w, got.error());
  }
  --in_hand;
  stop_if_idle();
}

// The host is away. One message says so on disk; the others wait with it, apart from those that
// waited too long already. What the domain said for good holds for all.
awaitable<void> queue_runner::state::cannot_connect(lane& l, error why) {
  host_report report;
  report.host = l.host;
  report.permanent = why.kind == fault::refused;
  report.problem = why.message();
  alive.erase(l.host + ' ' + l.sender);
  l.answered = false;
  l.not_before = next_try(options.retry, l.failures++, now());
  std::vector<waiting> now_due;
  for (const waiting& w : l.queue)
    if (w.next <= now() && (report.permanent || now_due.empty() || too_old(w.created)))
      now_due.push_back(w);
  for (const waiting& w : now_due) {
    l.queue.erase(w);
    ++in_hand;
    co_await keep_failure(l, w, report);
    --in_hand;
    stop_if_idle();
  }
}

awaitable<void> queue_runner::state::keep_failure(lane& l, waiting w, const host_report& report) {
  const auto next = co_await on_worker(workers, [&]() -> result<std::optional<sys_seconds>> {
    IMA_TRY(mine, take_up(w, l.host, false));
    if (!mine.claim) return mine.later;
    return write_down(*mine.claim, report, w.created);
  });
  put_back(l, w, next);
}

void queue_runner::state::put_back(lane& l, waiting w,
                                   const result<std::optional<sys_seconds>>& next) {
  if (!next) {
    log(log_level::error, "queue-failed", w.id, l.host, next.error().message());
    w.next = now() + elsewhere;
  } else if (!*next) {
    return;
  } else {
    w.next = **next;
  }
  l.queue.insert(std::move(w));
}

// --- On the workers ---

// What the disk did not keep as it was given cannot be delivered; its sender is told.
result<turn> queue_runner::state::fail_damaged(service::host_claim& claim, const error& why) const {
  host_report report;
  report.host = claim.state().host;
  report.permanent = true;
  report.problem = "damaged in the queue: " + why.message();
  IMA_CHECK(write_down(claim, report, now()));
  return turn{};
}

result<turn> queue_runner::state::take_up(const waiting& w, const std::string& host,
                                          bool with_message) const {
  turn t;
  auto about = queue.read(w.id);
  if (!about && about.error().rule == "queue-id") return t;
  if (!about) return std::move(about).error();
  if (about->held) return t;
  IMA_TRY(mine, queue.claim(w.id, host));
  if (!mine) {
    t.later = now() + elsewhere;
    return t;
  }
  if (!mine->state().open()) {
    IMA_CHECK(queue.settle(*mine));
    return t;
  }
  if (mine->state().next > now()) {
    t.later = mine->state().next;
    return t;
  }
  if (with_message) {
    limits as_queued = options.bounds;
    as_queued.body = UINT64_MAX;  // it was small enough when it was queued
    auto message = service::message_file::open(queue.message_path(w.id), as_queued);
    if (!message && message.error().kind == fault::peer)
      return fail_damaged(*mine, message.error());
    if (!message) return std::move(message).error();
    t.message.emplace(std::move(*message));
  }
  t.claim.emplace(std::move(*mine));
  return t;
}

result<std::optional<sys_seconds>> queue_runner::state::write_down(service::host_claim& claim,
                                                                   const host_report& report,
                                                                   sys_seconds created) const {
  const auto results = results_to_keep(report, claim.state(), too_old(created));
  const sys_seconds next = next_try(options.retry, claim.state().tries, now());
  IMA_CHECK(claim.record(results, report.problem, next));
  for (const auto& r : results)
    log(log_level::info, "queue-result", claim.id(), report.host,
        fmt::format("{} {} {}", to_string(r.what), r.recipient.text(), r.text));
  if (claim.state().open()) return std::optional(next);
  IMA_CHECK(queue.settle(claim));
  return std::optional<sys_seconds>();
}

// --- The runner ---

queue_runner::queue_runner(std::shared_ptr<state> s) : state_(std::move(s)) {}
queue_runner::queue_runner(queue_runner&&) noexcept = default;
queue_runner::~queue_runner() = default;

result<queue_runner> queue_runner::create(service::queue& queue, const tls::context& tls,
                                          const queue_runner_options& options) {
  auto made = std::make_shared<state>(queue, options);
  IMA_TRY(dns, resolver::create(made->loop, options.dns));
  made->dns.emplace(std::move(dns));
  made->means.emplace(sending_means{made->loop, *made->dns, made->workers, tls, made->options.hosts,
                                    made->options.bounds});
  return queue_runner(std::move(made));
}

namespace {

template <class State>
result<void> run_to_the_end(State& s, bool once) {
  asio::co_spawn(s.loop, s.keep_running(once), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  s.loop.run();
  if (s.problem) return *s.problem;
  return {};
}

}  // namespace

result<void> queue_runner::run() { return run_to_the_end(*state_, false); }
result<void> queue_runner::run_once() { return run_to_the_end(*state_, true); }

void queue_runner::stop() {
  asio::post(state_->loop, [s = state_] {
    s->stopping = true;
    s->pause.cancel();
    s->stop_if_idle();
  });
}

void queue_runner::use(const tls::context& tls) {
  asio::post(state_->loop, [s = state_, tls] { s->means->tls = tls; });
}

}  // namespace ima::net
