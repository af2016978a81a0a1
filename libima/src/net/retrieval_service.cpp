#include "net/retrieval_service.hpp"

#include "net/worker.hpp"

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

namespace ima::net {
namespace {

// For a client that had nothing in hand, or was late, while a server stops.
constexpr std::chrono::milliseconds brief_linger{250};

bool only_reads(const retrieval::any_request& request) noexcept {
  return std::holds_alternative<retrieval::request::fetch>(request) ||
         std::holds_alternative<retrieval::request::headers>(request);
}

// One of the places for proofs that workers look at.
class proof_place {
 public:
  explicit proof_place(retrieval_office& office) : office_(office) { ++office_.proving; }
  proof_place(const proof_place&) = delete;
  proof_place& operator=(const proof_place&) = delete;
  ~proof_place() {
    --office_.proving;
    office_.room.cancel();
  }

 private:
  retrieval_office& office_;
};

}  // namespace

retrieval_service::retrieval_service(connection c, std::shared_ptr<retrieval_office> office,
                                     asio::thread_pool& workers)
    : connection_(std::move(c)),
      executor_(connection_.executor()),
      age_(executor_),
      pause_(executor_),
      office_(std::move(office)),
      workers_(workers) {}

void retrieval_service::log(log_level level, std::string_view name, fields more) const {
  if (office_->options.log == nullptr) return;
  log_event event{level, name, {{"peer", peer_}}};
  if (responder_ && !responder_->user().empty())
    event.fields.emplace_back("user", std::string(responder_->user()));
  for (auto& field : more) event.fields.push_back(std::move(field));
  office_->options.log->write(event);
}

awaitable<void> retrieval_service::run() {
  const auto self = shared_from_this();
  peer_ = connection_.peer_address();
  network_ = connection_.peer_network();
  asio::co_spawn(
      executor_, [self]() -> awaitable<void> { co_await self->connection_.write_loop(); },
      asio::detached);
  connection_.arm(office_->options.bounds.handshake);
  if (auto good = co_await connection_.handshake(); good) {
    co_await serve();
  } else if (!ended_) {
    log(log_level::warning, "handshake-failed",
        {{"rule", std::string(good.error().rule)}, {"text", good.error().text}});
  }
  const auto last_octets = office_->options.bounds.handshake;  // to go out
  connection_.arm(late_ ? brief_linger : last_octets);
  if (ended_ || late_)
    co_await connection_.finish(brief_linger);
  else
    co_await connection_.finish();
}

std::optional<retrieval::certificate_facts> retrieval_service::client_certificate() const {
  const tls::peer_facts& facts = connection_.tls().peer();
  if (!facts.certificate) return std::nullopt;
  retrieval::certificate_facts out{facts.certificate->key, {}};
  if (facts.chain_verified && office_->options.trust_issued_names)
    out.operator_ca_names = facts.certificate->names;
  return out;
}

awaitable<void> retrieval_service::serve() {
  if (const auto& problem = connection_.tls().peer().chain_problem)  // it may count by its key
    log(log_level::info, "chain-unproved",
        {{"rule", std::string(problem->rule)}, {"text", problem->text}});
  session_.emplace(retrieval::server_options{connection_.tls().peer().server_name,
                                             office_->options.bounds,
                                             office_->users.capabilities()});
  responder_.emplace(*session_, office_->users, client_certificate(), hooks());
  if (!stopping_) limit_age();
  for (bool open = true; open && co_await flush();) {
    if (dismissed_) co_return;
    if (stopping_) session_->shut_down();
    for (const auto& event : std::exchange(events_, {})) session_->event(event);
    auto event = next_ ? *std::exchange(next_, std::nullopt) : session_->next_event();
    if (!event) co_return;
    pump();  // flush() left room; to wait here could miss what happens before the event's own wait
    open = co_await std::visit([this](auto& e) { return handle(std::move(e)); }, *event);
  }
  co_await flush();
}

// An old connection ends as all do when the server stops; what is in hand then has as long again.
void retrieval_service::limit_age() {
  age_.expires_after(office_->options.bounds.connection);
  age_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (self && !cancelled && !self->stopping_)
      self->end_within(self->office_->options.bounds.connection);
  });
}

void retrieval_service::stop() { end_within(office_->options.bounds.stopping); }

// A proof that waits for its time or for a worker is not looked at any more.
void retrieval_service::end_within(std::chrono::milliseconds patience) {
  stopping_ = true;
  age_.expires_after(patience);
  age_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (self && !cancelled) self->end_late();
  });
  pause_.cancel();
  office_->room.cancel();
  if (nothing_in_hand()) end_wait();
}

// Where serve() does not wait for the client it sees the end before it waits again.
bool retrieval_service::nothing_in_hand() {
  if (!session_) return true;
  if (!reading_) return false;
  session_->shut_down();
  const auto event = session_->next_event();
  return event && std::holds_alternative<retrieval::closed>(*event);
}

// The client sees an end of TLS and no attack; one that has yet to take what came before has a
// moment for it, and sees none if it takes nothing.
void retrieval_service::end_wait() {
  late_ = late_ || connection_.is_sending();
  pump();
  ended_ = true;
  connection_.interrupt();
}

// What a worker does has an end of its own, and its client is told; no client is waited for.
void retrieval_service::end_late() {
  late_ = true;
  if (!working_) connection_.close();
}

// What other threads have to say comes to the connection's strand. A hook holds nothing of the
// loop, as who was given it may keep it for longer than that.
retrieval::responder_hooks retrieval_service::hooks() {
  const auto on_strand = [weak = weak_from_this()](auto action) {
    auto self = weak.lock();
    if (!self) return;
    const auto executor = self->executor_;
    asio::post(executor, [self = std::move(self), action = std::move(action)] { action(*self); });
  };
  return {[on_strand](std::function<void()> action) {
            on_strand([action = std::move(action)](retrieval_service& self) {
              action();
              self.pump();
            });
          },
          [on_strand](const retrieval::watched_folder& now) {
            on_strand([now](retrieval_service& self) { self.tell(now); });
          },
          [on_strand] { on_strand([](retrieval_service& self) { self.dismiss(); }); }};
}

void retrieval_service::tell(const retrieval::watched_folder& now) {
  if (!reading_) {  // serve() says it before the next wait
    std::erase_if(events_, [&](const auto& e) { return e.folder == now.folder; });
    return events_.push_back(now);
  }
  session_->event(now);
  pump();
  watch();  // a client who takes nothing does not stay
}

// He waits for what happens, and has no request that could be answered.
void retrieval_service::dismiss() {
  if (std::exchange(dismissed_, true)) return;
  log(log_level::info, "user-dismissed", {});
  if (reading_) end_wait();  // else serve() sees it before the next wait
}

// Session to connection, as far as the connection takes it.
void retrieval_service::pump() {
  if (!session_) return;
  const octets waiting = session_->pending_output();
  if (waiting.empty() || connection_.full()) return;
  const std::size_t count = waiting.size();
  if (!connection_.write(waiting)) connection_.close();
  session_->sent(count);
}

// Session to connection, at the pace of the client; false when the connection is gone.
awaitable<bool> retrieval_service::flush() {
  const octets waiting = session_->pending_output();
  const std::size_t count = waiting.size();
  if (!connection_.write(waiting)) co_return false;
  session_->sent(count);
  if (connection_.full() && late_) connection_.close();
  if (connection_.full()) {
    connection_.arm(office_->options.bounds.line);  // the client does not read what it asked for
    watched_.reset();
    co_await connection_.drained();
    connection_.disarm();
    if (connection_.timed_out()) log(log_level::warning, "client-stalled", {});
  }
  co_return !connection_.is_closed();  // what is made for a client who left would only pile up
}

// Arms the deadline of the wait that begins, and leaves that of a wait that goes on.
void retrieval_service::watch() {
  const auto patience = session_->timeout();
  if (!patience) return;
  const std::pair wait{session_->step(), *patience};
  if (watched_ == wait) return;
  watched_ = wait;
  connection_.arm(*patience);
}

awaitable<bool> retrieval_service::handle(retrieval::need_input) {
  watch();
  reading_ = true;
  auto got = co_await connection_.read();
  reading_ = false;
  if (!got && ended_) co_return false;
  if (!got) {
    log(log_level::info, "connection-lost",
        {{"rule", std::string(got.error().rule)}, {"text", got.error().text}});
    co_return false;
  }
  if (got->empty())
    session_->receive_eof();
  else
    session_->receive(*got);
  co_return true;
}

// Output was waiting; flush() has taken it on.
awaitable<bool> retrieval_service::handle(retrieval::paused) { co_return true; }

awaitable<bool> retrieval_service::handle(retrieval::any_request request) {
  if (const auto* proof = std::get_if<retrieval::request::authenticate>(&request)) {
    std::string user = proof->user;
    co_return co_await prove(std::move(request), std::move(user));
  }
  if (std::holds_alternative<retrieval::request::password>(request))
    co_return co_await prove(std::move(request), std::string(responder_->user()));
  const bool together = only_reads(request);
  if (!responder_->begin(std::move(request))) co_return false;
  co_return co_await work(together);
}

// A proof waits its time without a thread, and half the workers are left for the mail. What became
// of the proofs that came before it, perhaps only moments before, counts when it is looked at.
awaitable<bool> retrieval_service::prove(retrieval::any_request request, std::string user) {
  connection_.disarm();
  watched_.reset();
  auto& office = *office_;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto came = now();
  for (;;) {
    const auto most = std::max<std::size_t>(1, office.options.workers / 2);
    while (office.proving >= most && !stopping_) {
      co_await office.room.async_wait(as_result);
      if (client_left()) co_return false;
    }
    if (stopping_) {
      constexpr auto why = retrieval::reason::shutdown;
      co_return session_->fail(why, "the server is stopping").has_value();
    }
    const auto delay = office.limiter.delay(user, network_, now());
    if (!delay) {
      log(log_level::warning, "proof-not-looked-at", {{"claimed", user}});
      co_return session_->fail(retrieval::reason::busy, "too many failed proofs").has_value();
    }
    if (now() >= came + *delay) break;
    pause_.expires_at(came + *delay);
    co_await pause_.async_wait(as_result);
  }
  if (client_left()) co_return false;
  bool good = false;
  {
    const proof_place place(office);
    if (!responder_->begin(std::move(request))) co_return false;
    good = co_await work();
  }
  if (failed_rule_ == "auth") {
    office.limiter.failed(user, network_, now());
    log(log_level::warning, "proof-refused", {{"claimed", user}});
  } else if (failed_rule_.empty()) {
    office.limiter.proved(user, network_, now());
    log(log_level::info, "user-proved", {});
  }
  co_return good;
}

// Proofs are dear, and programs that give up and try again would make the wait longer for all.
bool retrieval_service::client_left() {
  if (!connection_.is_abandoned()) return false;
  log(log_level::info, "connection-lost", {{"text", "the client left before the proof"}});
  return true;
}

awaitable<bool> retrieval_service::handle(retrieval::body_octets piece) {
  if (!responder_->busy()) co_return true;  // refused meanwhile; the session drops the rest
  if (!responder_->take(piece)) co_return false;
  co_return co_await work();
}

awaitable<bool> retrieval_service::handle(retrieval::body_end end) {
  if (!responder_->take(end)) co_return false;
  co_return co_await work();
}

// Lets the responder work on worker threads until it needs the client again.
awaitable<bool> retrieval_service::work(bool together) {
  connection_.disarm();
  watched_.reset();
  failed_rule_ = {};
  while (responder_->can_work()) {
    asio::thread_pool& pool = responder_->will_send() ? office_->senders : workers_;
    const auto job = [this, together] { return answer(together); };
    working_ = true;
    const auto failed = co_await on_worker(pool, job);
    working_ = false;
    const bool needs_client = responder_->busy() && !responder_->can_work();
    if (late_ && needs_client) connection_.close();
    for (const error& each : failed) {
      failed_rule_ = each.rule;
      if (each.rule == "dismissed")
        log(log_level::info, "user-dismissed", {});
      else if (each.rule != "auth")  // prove() says that, with the name
        log(log_level::warning, "request-failed",
            {{"rule", std::string(each.rule)}, {"text", each.message()}});
    }
    if (!co_await flush()) co_return false;
  }
  co_return true;
}

// On a worker, which has the session meanwhile. Requests that read messages are answered together
// where they came together: a trip to a worker and a TLS record for each small answer would cost
// more than the answers.
std::vector<error> retrieval_service::answer(bool together) {
  std::vector<error> failed;
  while (true) {
    if (auto problem = responder_->work()) failed.push_back(*std::move(problem));
    if (!together || responder_->busy()) return failed;
    auto event = session_->next_event();  // one that is no request comes again
    auto* request = event ? std::get_if<retrieval::any_request>(&*event) : nullptr;
    if (request == nullptr) return failed;
    if (!only_reads(*request)) {
      next_ = std::move(*request);
      return failed;
    }
    (void)responder_->begin(std::move(*request));  // it is not busy
  }
}

awaitable<bool> retrieval_service::handle(retrieval::closed closed) {
  if (closed.why)
    log(log_level::warning, "session-failed",
        {{"rule", std::string(closed.why->rule)}, {"text", closed.why->message()}});
  co_return false;
}

}  // namespace ima::net
