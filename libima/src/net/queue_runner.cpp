#include "net/connection_bounds.hpp"
#include "net/delivery_link.hpp"
#include "net/endpoint.hpp"
#include "net/host_delivery.hpp"
#include "net/interruption.hpp"
#include "net/metrics_listener.hpp"
#include "net/queue_clerk.hpp"
#include "net/queue_lanes.hpp"
#include "net/queued_results.hpp"
#include "net/threads.hpp"
#include "net/worker.hpp"
#include "support/try.hpp"
#include "tls/context_content.hpp"

#include <ima/net/queue_runner.hpp>
#include <ima/service/message_file.hpp>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ima::net {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds connecting{60};
constexpr std::chrono::milliseconds together{5};
constexpr std::size_t turn_of = 8;  // messages, where another domain of ours waits for the host
constexpr std::size_t batch = 64;   // messages read on one trip to the workers

// What may change while it runs.
result<void> check(const queue_runner_options& options) {
  IMA_CHECK(check_endpoints(options.hosts));
  return check_connections(options.connections, options.per_host);
}

}  // namespace

struct queue_runner::state : std::enable_shared_from_this<state> {
  state(service::queue& q, const queue_runner_options& o)
      : options(o),
        queue(q),
        clerk(std::make_shared<const queue_clerk>(q, o.retry, o.log)),
        workers(o.workers),
        pause(loop),
        again(loop),
        lanes(o.connections, o.per_host) {}

  result<void> expose();
  awaitable<void> keep_running(bool once);
  awaitable<result<void>> scan();
  awaitable<void> take_in(std::vector<std::string> ids);
  void note(const std::string& id, const result<looked_at>& found);
  void take(const service::queued_message& message);

  void start_lanes();
  void start_lanes_soon();
  awaitable<void> serve(connection_slot slot);
  awaitable<void> deliver_what_is_due(lane& l, std::shared_ptr<delivery_link> link);
  awaitable<void> attempt(lane& l, std::shared_ptr<delivery_link> link, waiting w);
  awaitable<void> cannot_connect(lane& l, error why);
  void put_back(lane& l, waiting w, const result<next_due>& next);
  void use(const queue_runner_options& fresh);
  void stop_if_idle() {
    if (stopping && in_hand == 0) loop.stop();
  }

  asio::io_context loop{1};
  queue_runner_options options;
  service::queue& queue;
  std::shared_ptr<const queue_clerk> clerk;
  asio::thread_pool workers;
  std::optional<resolver> dns;
  std::optional<sending_means> means;
  asio::steady_timer pause;  // between scans
  asio::steady_timer again;  // before lanes are started anew
  bool again_waits = false;
  std::optional<tcp::acceptor> metrics;
  std::string metrics_address;
  lane_table lanes;
  std::unordered_set<std::string> known;       // messages whose hosts are in the lanes
  std::unordered_set<std::string> unfinished;  // looked at again with the next scan
  std::uint64_t changes = 0;
  std::size_t in_hand = 0;  // messages being offered or sent
  bool stopping = false;
  std::optional<error> problem;
};

result<void> queue_runner::state::expose() {
  if (options.metrics_listen.empty()) return {};
  IMA_TRY(acceptor, listen_for_metrics(loop, options.metrics_listen));
  metrics_address = text_of(acceptor.local_endpoint());
  metrics.emplace(std::move(acceptor));
  return {};
}

// --- What is in the queue ---

awaitable<void> queue_runner::state::keep_running(bool once) {
  const auto swept = co_await on_worker(workers, [&] { return queue.sweep(); });
  if (!swept) clerk->log(log_level::warning, "queue-sweep-failed", "", "", swept.error().message());
  auto good = co_await scan();
  if (!good) problem = std::move(good).error();
  if (problem) co_return;
  start_lanes();
  if (metrics && !once)
    asio::co_spawn(loop, serve_metrics(*metrics, options.metrics), asio::detached);
  while (!once && !stopping) {
    pause.expires_after(options.scan);
    co_await pause.async_wait(as_result);
    auto looked = co_await scan();
    if (!looked) clerk->log(log_level::error, "queue-unreadable", "", "", looked.error().message());
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
    lanes.clear();
  }
  changes = *changed;
  const auto left = std::exchange(unfinished, {});
  std::unordered_set<std::string> listed;
  std::vector<std::string> fresh;
  for (const std::string& id : *ids) {
    listed.insert(id);
    if (!known.contains(id) || left.contains(id)) fresh.push_back(id);
    if (fresh.size() == batch) co_await take_in(std::exchange(fresh, {}));
  }
  co_await take_in(std::move(fresh));
  std::erase_if(known, [&](const std::string& id) { return !listed.contains(id); });
  co_return result<void>();
}

awaitable<void> queue_runner::state::take_in(std::vector<std::string> ids) {
  const auto by = clerk;
  const auto found = co_await on_worker(workers, [&] {
    std::vector<result<looked_at>> out;
    for (const std::string& id : ids) out.push_back(by->look_at(id));
    return out;
  });
  for (std::size_t i = 0; i < ids.size(); ++i) note(ids[i], found[i]);
}

void queue_runner::state::note(const std::string& id, const result<looked_at>& found) {
  if (!found && found.error().rule == "queue-id") return;  // it is gone: somebody was faster
  if (!found) {
    clerk->log(log_level::error, "queue-unreadable", id, "", found.error().message());
  } else if (found->problem) {
    clerk->log(log_level::error, "queue-failed", id, "", found->problem->message());
  }
  if (!found || found->problem) unfinished.insert(id);
  if (found && known.insert(id).second) take(found->message);
}

void queue_runner::state::take(const service::queued_message& message) {
  if (message.held) return;
  const std::string sender = message.originator.substr(message.originator.rfind('@') + 1);
  for (const service::queued_host& h : message.hosts) {
    if (!h.open()) continue;
    lanes.put(h.host, sender, {h.next, message.created, message.id});
    if (h.hurried) lanes.hurry(h.host, sender);
  }
}

// --- Connections ---

void queue_runner::state::start_lanes() {
  if (stopping) return;
  for (connection_slot& slot : lanes.take_slots(clerk->now()))
    asio::co_spawn(loop, serve(std::move(slot)), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
}

// Many connections that end together are one occasion.
void queue_runner::state::start_lanes_soon() {
  if (std::exchange(again_waits, true)) return;
  again.expires_after(together);
  again.async_wait([this](asio::error_code cancelled) {
    again_waits = false;
    if (!cancelled) start_lanes();
  });
}

awaitable<void> queue_runner::state::serve(connection_slot slot) {
  lane& l = *slot.to;
  const auto link = std::make_shared<delivery_link>(*means, l.host, l.sender);
  const bool unknown = slot.as == standing::fresh;
  const auto until = clock::now() + (unknown ? first_moment : connecting);
  auto open = co_await link->open(until);
  if (open) {
    lanes.answered(slot);
    clerk->log(log_level::debug, "connection-opened", "", l.host, "");
    co_await deliver_what_is_due(l, link);
    clerk->log(log_level::debug, "connection-closed", "", l.host, "");
  } else if (unknown && clock::now() >= until) {
    lanes.took_too_long(l);
  } else {
    co_await cannot_connect(l, std::move(open).error());
  }
  lanes.give_back(slot);
  start_lanes_soon();
}

awaitable<void> queue_runner::state::deliver_what_is_due(lane& l,
                                                         std::shared_ptr<delivery_link> link) {
  for (std::size_t count = 1; !stopping && link->usable() && l.due(clerk->now()); ++count) {
    waiting w = *l.queue.begin();
    l.queue.erase(l.queue.begin());
    co_await attempt(l, link, std::move(w));
    if (count % turn_of == 0 && lanes.keeps_another_waiting(l, clerk->now())) break;
  }
  co_await link->close();
}

awaitable<void> queue_runner::state::attempt(lane& l, std::shared_ptr<delivery_link> link,
                                             waiting w) {
  ++in_hand;
  const auto by = clerk;
  auto got = co_await on_worker(workers, [&] { return by->take_up(w, l.host, true); });
  if (got && got->message) {
    const header_block header =
        for_those_who_wait(got->message->header(), got->claim->state(), options.bounds);
    host_delivery d(link, header, *got->message, nullptr, options.log);
    co_await d.ask(clock::now() + connecting);
    if (d.accepted()) co_await d.send();
    const auto next = co_await on_worker(
        workers, [&] { return by->write_down(*got->claim, d.report(), w.created); });
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
  const auto by = clerk;
  host_report report;
  report.host = l.host;
  report.permanent = why.kind == fault::refused;
  report.problem = why.message();
  lanes.failed(l, by->next_try_of(l));
  std::vector<waiting> now_due;
  for (const waiting& w : l.queue)
    if (w.next <= by->now() && (report.permanent || now_due.empty() || by->too_old(w.created)))
      now_due.push_back(w);
  for (const waiting& w : now_due) {
    l.queue.erase(w);
    ++in_hand;
    const auto next =
        co_await on_worker(workers, [&] { return by->write_down_failure(w, report); });
    put_back(l, w, next);
    --in_hand;
    stop_if_idle();
  }
}

void queue_runner::state::put_back(lane& l, waiting w, const result<next_due>& next) {
  if (!next) {
    clerk->log(log_level::error, "queue-failed", w.id, l.host, next.error().message());
    w.next = clerk->now() + elsewhere;
  } else if (!*next) {
    return;
  } else {
    w.next = **next;
  }
  l.queue.insert(std::move(w));
}

// --- The runner ---

queue_runner::queue_runner(std::shared_ptr<state> s) : state_(std::move(s)) {}
queue_runner::queue_runner(queue_runner&&) noexcept = default;
queue_runner::~queue_runner() = default;

result<queue_runner> queue_runner::create(service::queue& queue, const tls::context& tls,
                                          const queue_runner_options& options) {
  IMA_CHECK(tls::check_made_for(tls, tls::protocol::imdp));
  IMA_CHECK(check(options));
  IMA_CHECK(check_threads({options.workers}));
  auto made = std::make_shared<state>(queue, options);
  IMA_TRY(dns, resolver::create(made->loop, options.dns));
  made->dns.emplace(std::move(dns));
  IMA_CHECK(made->expose());
  made->means.emplace(sending_means{made->loop, *made->dns, made->workers, tls, made->options.hosts,
                                    made->options.bounds});
  return queue_runner(std::move(made));
}

namespace {

template <class State>
result<void> run_to_the_end(State& s, bool once, const std::function<bool()>& interrupted) {
  s.loop.restart();  // where it ran to its end before
  s.stopping = false;
  s.problem.reset();
  asio::co_spawn(s.loop, s.keep_running(once), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  interruption watch(interrupted);
  while (!s.loop.stopped()) {
    if (!watch.run_one(s.loop, clock::time_point::max())) continue;
    s.stopping = true;
    s.stop_if_idle();
  }
  if (s.problem) return *s.problem;
  return {};
}

}  // namespace

result<void> queue_runner::run() { return run_to_the_end(*state_, false, {}); }
result<void> queue_runner::run_once(const std::function<bool()>& interrupted) {
  return run_to_the_end(*state_, true, interrupted);
}

const std::string& queue_runner::metrics_address() const noexcept {
  return state_->metrics_address;
}

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

result<void> queue_runner::use(const queue_runner_options& options) {
  IMA_CHECK(check(options));
  asio::post(state_->loop, [s = state_, options] { s->use(options); });
  return {};
}

// What it does not start with: names servers, threads and the log stay.
void queue_runner::state::use(const queue_runner_options& fresh) {
  options.hosts = fresh.hosts;
  means->bounds = options.bounds = fresh.bounds;
  options.scan = fresh.scan;
  lanes.set_most(fresh.connections, fresh.per_host);
  clerk = std::make_shared<const queue_clerk>(queue, fresh.retry, options.log);
}

}  // namespace ima::net
