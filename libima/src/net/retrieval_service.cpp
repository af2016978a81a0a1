#include "net/retrieval_service.hpp"

#include <functional>
#include <utility>
#include <variant>

namespace ima::net {

retrieval_service::retrieval_service(connection c, const retrieval_server_options& options,
                                     retrieval::authenticator& users, asio::thread_pool& workers)
    : connection_(std::move(c)),
      executor_(connection_.executor()),
      options_(options),
      users_(users),
      workers_(workers) {}

void retrieval_service::log(log_level level, std::string_view name, fields more) const {
  if (options_.log == nullptr) return;
  log_event event{level, name, {{"peer", peer_}}};
  if (responder_ && !responder_->user().empty())
    event.fields.emplace_back("user", std::string(responder_->user()));
  for (auto& field : more) event.fields.push_back(std::move(field));
  options_.log->write(event);
}

awaitable<void> retrieval_service::run() {
  const auto self = shared_from_this();
  peer_ = connection_.peer_address();
  asio::co_spawn(
      executor_, [self]() -> awaitable<void> { co_await self->connection_.write_loop(); },
      asio::detached);
  connection_.arm(options_.bounds.handshake);
  if (auto good = co_await connection_.handshake(); good) {
    co_await serve();
  } else {
    log(log_level::warning, "handshake-failed",
        {{"rule", std::string(good.error().rule)}, {"text", good.error().text}});
  }
  connection_.arm(options_.bounds.handshake);  // for the last octets to go out
  co_await connection_.finish();
}

std::optional<retrieval::certificate_facts> retrieval_service::client_certificate() const {
  const tls::peer_facts& facts = connection_.tls().peer();
  if (!facts.certificate) return std::nullopt;
  retrieval::certificate_facts out{facts.certificate->key, {}};
  if (facts.chain_verified && options_.trust_issued_names)
    out.operator_ca_names = facts.certificate->names;
  return out;
}

awaitable<void> retrieval_service::serve() {
  if (const auto& problem = connection_.tls().peer().chain_problem)  // it may count by its key
    log(log_level::info, "chain-unproved",
        {{"rule", std::string(problem->rule)}, {"text", problem->text}});
  session_.emplace(retrieval::server_options{connection_.tls().peer().server_name, options_.bounds,
                                             users_.capabilities()});
  responder_.emplace(*session_, users_, client_certificate(), hooks());
  for (bool open = true; open;) {
    if (stopping_) session_->shut_down();
    for (const auto& event : std::exchange(events_, {})) session_->event(event);
    auto event = session_->next_event();
    if (!event || !co_await flush()) co_return;
    open = co_await std::visit([this](auto& e) { return handle(std::move(e)); }, *event);
  }
  co_await flush();
}

void retrieval_service::stop() {
  stopping_ = true;
  if (!reading_) return;  // serve() sees it before the next request
  session_->shut_down();
  const auto event = session_->next_event();
  if (event && std::holds_alternative<retrieval::closed>(*event)) connection_.close();
}

// What other threads have to say comes to the connection's strand, which outlives neither of them.
retrieval::responder_hooks retrieval_service::hooks() {
  const auto weak = weak_from_this();
  const auto on_strand = [weak, executor = executor_](auto action) {
    asio::post(executor, [weak, action = std::move(action)] {
      if (const auto self = weak.lock()) action(*self);
    });
  };
  return {[on_strand](std::function<void()> action) {
            on_strand([action = std::move(action)](retrieval_service& self) {
              action();
              self.pump();
            });
          },
          [on_strand](const retrieval::watched_folder& now) {
            on_strand([now](retrieval_service& self) { self.tell(now); });
          }};
}

void retrieval_service::tell(const retrieval::watched_folder& now) {
  if (!reading_) return events_.push_back(now);  // serve() says it before the next wait
  session_->event(now);
  pump();
  watch();  // a client who takes nothing does not stay
}

// Session to connection, as far as the connection takes it.
void retrieval_service::pump() {
  const octets waiting = session_->pending_output();
  if (waiting.empty() || connection_.full()) return;
  const std::size_t count = waiting.size();
  if (!connection_.write(waiting)) connection_.close();
  session_->sent(count);
}

// Session to connection, at the pace of the client; false when the connection is gone.
awaitable<bool> retrieval_service::flush() {
  const octets waiting = session_->pending_output();
  if (waiting.empty()) co_return true;
  const std::size_t count = waiting.size();
  if (!connection_.write(waiting)) co_return false;
  session_->sent(count);
  if (connection_.full()) {
    connection_.arm(options_.bounds.line);  // the client does not read what it asked for
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
  const bool proof = std::holds_alternative<retrieval::request::authenticate>(request);
  if (!responder_->begin(std::move(request))) co_return false;
  if (!co_await work()) co_return false;
  if (proof && session_->is_authenticated()) log(log_level::info, "user-proved", {});
  co_return true;
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
awaitable<bool> retrieval_service::work() {
  connection_.disarm();
  watched_.reset();
  while (responder_->can_work()) {
    const auto failed = co_await asio::co_spawn(
        workers_, [this]() -> awaitable<std::optional<error>> { co_return responder_->work(); },
        asio::use_awaitable);
    if (failed)
      log(log_level::warning, failed->rule == "auth" ? "proof-refused" : "request-failed",
          {{"rule", std::string(failed->rule)}, {"text", failed->message()}});
    if (!co_await flush()) co_return false;
  }
  co_return true;
}

awaitable<bool> retrieval_service::handle(retrieval::closed closed) {
  if (closed.why)
    log(log_level::warning, "session-failed",
        {{"rule", std::string(closed.why->rule)}, {"text", closed.why->message()}});
  co_return false;
}

}  // namespace ima::net
