#include "net/delivery_service.hpp"

#include "net/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>

namespace ima::net {
namespace {

using clock = std::chrono::steady_clock;

// Results that come on a worker thread go to the session on the strand, one by one as they come.
class result_queue : public delivery::reply_sink {
 public:
  using put_result = std::function<void(const delivery::recipient_result&)>;
  using put_note = std::function<void(const std::string&)>;
  result_queue(asio::any_io_executor strand, const limits& bounds, put_result r, put_note n)
      : strand_(std::move(strand)),
        result_(std::move(r)),
        note_(std::move(n)),
        results_left_(static_cast<std::int64_t>(bounds.recipients + bounds.notes)),
        notes_left_(static_cast<std::int64_t>(bounds.notes)) {}

  void result(const delivery::recipient_result& r) override {
    if (results_left_-- > 0) asio::post(strand_, [put = result_, r] { put(r); });
  }
  void note(std::string_view text) override {
    if (notes_left_-- > 0)
      asio::post(strand_, [put = note_, kept = std::string(text)] { put(kept); });
  }

 private:
  asio::any_io_executor strand_;
  put_result result_;
  put_note note_;
  std::atomic<std::int64_t> results_left_;  // so that what waits for the strand is bounded
  std::atomic<std::int64_t> notes_left_;
};

}  // namespace

delivery_service::delivery_service(connection c, std::shared_ptr<delivery_office> office,
                                   asio::thread_pool& workers)
    : connection_(std::move(c)),
      executor_(connection_.executor()),
      office_(std::move(office)),
      bounds_(office_->bounds),
      workers_(asio::make_strand(workers.get_executor())),
      programs_(asio::make_strand(office_->programs.get_executor())),
      lapse_(executor_),
      began_(clock::now()),
      stop_patience_(executor_) {}

// Where the transaction's next call is made.
delivery_service::strand& delivery_service::threads() {
  return transaction_->waits_for_programs() ? programs_ : workers_;
}

// Dropping a transaction removes files and may wait for a command. Where the sender is answered
// after it, drop() comes first: he may offer the message again at once, on another connection, and
// must not be told that it is in hand.
awaitable<void> delivery_service::drop() {
  if (!transaction_) co_return;
  co_await on_worker(threads(), [this] {
    transaction_.reset();
    return true;
  });
}

void delivery_service::forget() {
  if (!transaction_) return;
  strand& on = threads();
  asio::post(on, [dropped = std::move(transaction_)] {});
}

void delivery_service::log(log_level level, std::string_view name, fields more) const {
  if (office_->log == nullptr) return;
  log_event event{level, name, {{"peer", peer_.address}}};
  if (!message_.empty()) event.fields.emplace_back("message", message_);
  for (auto& field : more) event.fields.push_back(std::move(field));
  office_->log->write(event);
}

awaitable<void> delivery_service::run() {
  const auto self = shared_from_this();
  peer_.address = connection_.peer_address();
  asio::co_spawn(
      executor_, [self]() -> awaitable<void> { co_await self->connection_.write_loop(); },
      asio::detached);
  connection_.arm(bounds_.handshake);
  if (auto good = co_await connection_.handshake(); good) {
    co_await serve();
  } else if (stopping_) {
    connection_.close();  // at once: no mail is lost with a handshake
  } else {
    log(log_level::warning, "handshake-failed",
        {{"rule", std::string(good.error().rule)}, {"text", good.error().text}});
  }
  lapse_.cancel();
  co_await drop();
  connection_.arm(bounds_.handshake);  // for the last octets to go out
  co_await connection_.finish();
  over_ = true;
  stop_patience_.cancel();
}

awaitable<void> delivery_service::serve() {
  const tls::peer_facts& facts = connection_.tls().peer();
  peer_.host = facts.server_name;
  peer_.tls = facts.cipher;
  peer_.certificate = facts.certificate->fingerprint;
  session_.emplace(delivery::server_options{facts.server_name, bounds_});
  if (stopping_) session_->stop();
  bool open = true;
  while (open) {
    auto event = session_->next_event();
    // The answer to a damaged message is there already; it waits until the message is dropped.
    const bool damaged = std::holds_alternative<delivery::body_damaged>(event);
    if (!damaged && !co_await flush()) break;
    open = co_await std::visit([this](auto& e) { return handle(std::move(e)); }, event);
  }
  pump();
}

// Everything the session said goes to the connection, at the pace of the peer: a peer that waits
// for an answer sends nothing that would make us think of it again.
awaitable<bool> delivery_service::flush() {
  for (pump(); !session_->pending_output().empty(); pump()) {
    connection_.arm(bounds_.line);
    co_await connection_.drained();
    connection_.disarm();
    watched_step_ = never;  // the wait that was interrupted gets its deadline again
    if (connection_.timed_out()) log(log_level::warning, "peer-stalled", {});
    if (connection_.is_closed()) co_return false;
  }
  co_return true;
}

void delivery_service::stop() {
  if (over_) return;  // the call was on its way when the connection ended
  stopping_ = true;
  stop_patience_.expires_after(bounds_.stopping);
  stop_patience_.async_wait([self = shared_from_this()](asio::error_code cancelled) {
    if (!cancelled && !self->finishing_) self->abort();
  });
  if (!session_) return connection_.interrupt();  // of its handshake there is nothing to finish
  session_->stop();
  if (session_->is_closed())
    connection_.interrupt();  // serve() waits for a peer with nothing in hand
}

// Session to connection; what cannot be encrypted any more is lost with the connection.
void delivery_service::pump() {
  if (connection_.full()) return;
  const octets waiting = session_->pending_output();
  if (waiting.empty()) return;
  const std::size_t count = waiting.size();
  if (!connection_.write(waiting)) connection_.close();
  session_->sent(count);
}

// A message in hand at the end of the connection's age has as long again (docs/delivery.md section
// 9), however steadily it comes.
std::chrono::milliseconds delivery_service::left() const {
  const auto until = began_ + 2 * bounds_.connection;
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()));
}

// Keeps the deadline of the wait that the session is in.
void delivery_service::watch() {
  if (session_->step() == watched_step_) return;
  watched_step_ = session_->step();
  lapse_.cancel();
  const auto patience = session_->timeout();
  if (!patience) return connection_.disarm();
  if (!session_->accept_pending()) return connection_.arm(std::min(*patience, left()));
  connection_.disarm();
  lapse_.expires_after(*patience);
  lapse_.async_wait([self = shared_from_this(), step = watched_step_](asio::error_code cancelled) {
    if (!cancelled) self->lapsed(step);
  });
}

void delivery_service::lapsed(std::uint64_t step) {
  if (session_->step() != step || !session_->lapse()) return;
  forget();
  log(log_level::info, "accept-lapsed", {});
  pump();
  watch();
  if (session_->is_closed()) connection_.interrupt();
}

awaitable<bool> delivery_service::handle(delivery::server_needs_input) {
  if (clock::now() - began_ > bounds_.connection) session_->stop();
  if (session_->is_closed()) co_return true;
  watch();
  auto got = co_await connection_.read();
  if (session_->is_closed()) co_return true;
  if (!got) {
    log(log_level::warning, "connection-lost",
        {{"rule", std::string(got.error().rule)}, {"text", got.error().text}});
    co_return false;
  }
  if (got->empty()) {
    session_->receive_eof();
  } else {
    session_->receive(*got);
  }
  co_return true;
}

// Output was waiting; flush() has taken it on.
awaitable<bool> delivery_service::handle(delivery::server_waits) { co_return true; }

// The rule of docs/delivery.md section 5 that needs the connection.
result<void> delivery_service::check_originator(const header_block& header) const {
  const auto now = std::chrono::floor<std::chrono::seconds>(office_->now());
  return tls::vouches_for(connection_.tls().peer(), header.originator().host(), now);
}

// An offer that nobody had time for until the sender has lost patience is not looked at: he will
// come again. Nor is one that had to wait so long for a place among the programs.
awaitable<delivery::header_answer> delivery_service::judge(const header_block& header) {
  using answer = std::optional<delivery::header_answer>;
  const auto too_late = [until = clock::now() + bounds_.line / 2] { return clock::now() > until; };
  delivery::header_answer busy;
  busy.why = delivery::reason::busy;
  auto judged = co_await on_worker(workers_, [&]() -> answer {
    if (too_late()) return busy;
    transaction_ = office_->handler.open(header, peer_);
    if (transaction_->waits_for_programs()) return std::nullopt;
    return transaction_->judge();
  });
  if (judged) co_return *judged;
  co_return co_await on_worker(programs_,
                               [&] { return too_late() ? busy : transaction_->judge(); });
}

// A connection that offered enough is closed once what it offered is answered.
void delivery_service::count_offer(std::size_t recipients) {
  recipients_ += recipients;
  if (++offers_ >= bounds_.offers || recipients_ >= bounds_.offered_recipients) session_->stop();
}

awaitable<bool> delivery_service::handle(delivery::message_offered offered) {
  watch();
  count_offer(offered.header.recipients().size());
  message_ = offered.header.id_digest().hex();
  octets_ = offered.header.body_size();
  peer_.verified_domain = offered.header.originator().host();
  delivery::header_answer answer;
  if (auto proved = check_originator(offered.header); proved) {
    answer = co_await judge(offered.header);
  } else {
    answer.what = delivery::header_answer::kind::reject;
    answer.why = delivery::reason::identity;
    answer.text = proved.error().text;
    log(log_level::warning, "identity-refused",
        {{"rule", std::string(proved.error().rule)}, {"text", proved.error().text}});
  }
  static constexpr std::string_view words[] = {"accept", "reject", "defer", "verdict", "drop"};
  using kind = delivery::header_answer::kind;
  const bool declined = answer.what == kind::reject || answer.what == kind::defer;
  log(log_level::info, "offer-judged",
      {{"answer", std::string(words[static_cast<std::size_t>(answer.what)])},
       {"reason", declined ? std::string(to_string(answer.why)) : std::string()},
       {"from", std::string(offered.header.originator().text())},
       {"octets", std::to_string(offered.header.body_size())},
       {"text", answer.text}});
  const auto accepts = answer.what == delivery::header_answer::kind::accept;
  if (!accepts || !answer.unknown.empty()) co_await drop();
  co_return session_->answer(answer).has_value();
}

awaitable<bool> delivery_service::handle(delivery::offer_refused refused) {
  message_.clear();
  log(log_level::info, "offer-refused",
      {{"reason", std::string(to_string(refused.why))},
       {"rule", std::string(refused.problem.rule)},
       {"text", refused.problem.message()}});
  count_offer(0);
  co_return true;
}

awaitable<bool> delivery_service::handle(delivery::body_received received) {
  watch();
  connection_.pause();
  auto taken = co_await on_worker(threads(), [&] { return transaction_->body(received.slice); });
  connection_.resume();
  if (taken) co_return true;
  log(log_level::error, "body-failed", {{"text", taken.error().message()}});
  co_await drop();
  co_return session_->abandon(taken.error()).has_value();
}

awaitable<bool> delivery_service::handle(delivery::body_complete) {
  watch();
  result_queue results(
      executor_, bounds_,
      [this](const delivery::recipient_result& r) {
        log(log_level::info, "recipient-result",
            {{"recipient", std::string(r.recipient.text())},
             {"result", std::string(to_string(r.what))},
             {"text", r.text}});
        if (session_->report(r)) pump();
      },
      [this](const std::string& text) {
        if (session_->note(text)) pump();
      });
  finishing_ = true;
  const auto final_word = co_await on_worker(threads(), [&] {
    const auto said = transaction_->finish(results);
    transaction_.reset();
    return said;
  });
  finishing_ = false;
  log(log_level::info, "message-finished",
      {{"verdict", final_word.drop ? "drop" : std::string(to_string(final_word.what))},
       {"octets", std::to_string(octets_)}});
  if (final_word.drop) {
    connection_.close();
    co_return false;
  }
  co_return session_->conclude(final_word.what).has_value();
}

awaitable<bool> delivery_service::handle(delivery::body_damaged damaged) {
  co_await drop();
  log(log_level::warning, "body-damaged", {{"text", damaged.problem.message()}});
  co_return true;
}

awaitable<bool> delivery_service::handle(delivery::offer_cancelled) {
  co_await drop();
  log(log_level::info, "offer-cancelled", {});
  co_return true;
}

awaitable<bool> delivery_service::handle(delivery::server_closed closed) {
  if (closed.problem)
    log(log_level::warning, "session-failed",
        {{"rule", std::string(closed.problem->rule)}, {"text", closed.problem->message()}});
  co_return false;
}

}  // namespace ima::net
