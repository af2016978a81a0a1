#include "net/host_delivery.hpp"

#include "net/listen.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ima::net {
namespace {

constexpr std::string_view default_port = "20025";
constexpr std::size_t piece_size = 64 * 1024;

delivery::client_options session_options(const std::string& host, const sender_options& o) {
  return {host, o.bounds};
}

}  // namespace

host_delivery::host_delivery(asio::io_context& loop, std::string host, header_block header,
                             body_source& body, const tls::context& tls,
                             const sender_options& options)
    : loop_(loop),
      header_(std::move(header)),
      body_(body),
      tls_(tls),
      options_(options),
      session_(session_options(host, options)) {
  report_.host = std::move(host);
  for (const address& a : header_.recipients())
    if (a.host() == report_.host) report_.results.push_back({a, delivery::outcome::defer, ""});
}

void host_delivery::trace(std::string_view name, std::string text) const {
  if (options_.log == nullptr) return;
  options_.log->write(
      {log_level::debug, name, {{"host", report_.host}, {"text", std::move(text)}}});
}

void host_delivery::fail(const error& why) {
  if (finished_) return;
  report_.permanent = why.kind == fault::peer || why.kind == fault::refused;
  report_.problem = why.message();
  trace("delivery-failed", report_.problem);
}

awaitable<result<void>> host_delivery::connect() {
  const auto known = options_.hosts.find(report_.host);
  const std::string where =
      known == options_.hosts.end() ? report_.host : std::string(known->second);
  auto parts = split_endpoint(where, default_port);
  if (!parts) co_return std::move(parts).error();
  tcp::resolver resolver(loop_);
  const auto [unknown, found] =
      co_await resolver.async_resolve(parts->host, parts->port, as_result);
  const auto lost = [&](const asio::error_code& e) {
    return error{fault::temporary, "connection", report_.host,
                 fmt::format("cannot reach {}: {}", where, e.message())};
  };
  if (unknown) co_return lost(unknown);
  tcp::socket socket(loop_);
  const auto [failed, endpoint] = co_await asio::async_connect(socket, found, as_result);
  if (failed) co_return lost(failed);
  auto engine = tls::engine::client(tls_, report_.host, header_.originator().host());
  if (!engine) co_return std::move(engine).error();
  connection_ = std::make_shared<connection>(std::move(socket), std::move(*engine));
  asio::co_spawn(
      loop_, [c = connection_]() -> awaitable<void> { co_await c->write_loop(); }, asio::detached);
  connection_->arm(options_.bounds.handshake);
  co_return co_await connection_->handshake();
}

result<void> host_delivery::flush() {
  const octets waiting = session_.pending_output();
  if (waiting.empty()) return {};
  const std::size_t count = waiting.size();
  IMA_CHECK(connection_->write(waiting));
  session_.sent(count);
  return {};
}

awaitable<result<void>> host_delivery::read_more() {
  if (const auto patience = session_.timeout())
    connection_->arm(*patience);
  else
    connection_->disarm();
  auto got = co_await connection_->read();
  if (!got) {
    // What the session knows of the moment is more than that the connection broke: a verdict that
    // is missing leaves the outcome unknown.
    if (!accepted_ || got.error().kind == fault::peer) co_return std::move(got).error();
    co_return error{fault::unknown, "no-verdict", "", std::move(got).error().message()};
  }
  if (got->empty()) {
    session_.receive_eof();
  } else {
    session_.receive(*got);
  }
  co_return result<void>();
}

void host_delivery::note(const delivery::client_event& event) {
  if (const auto* r = std::get_if<delivery::recipient_reported>(&event)) {
    trace("recipient",
          fmt::format("{} {} {}", to_string(r->line.what), r->line.recipient.text(), r->line.text));
  } else if (const auto* n = std::get_if<delivery::note_received>(&event)) {
    report_.notes.push_back(n->text);
  } else if (std::holds_alternative<delivery::offer_accepted>(event)) {
    answered_ = accepted_ = true;
    trace("accepted", "");
  } else if (const auto* d = std::get_if<delivery::offer_declined>(&event)) {
    answered_ = finished_ = true;
    report_.results = d->results;
    report_.permanent = d->permanent;
    report_.problem = fmt::format("{} {} {}", d->permanent ? "REJECT" : "DEFER", d->word, d->text);
    trace("declined", report_.problem);
  } else if (const auto* v = std::get_if<delivery::delivery_complete>(&event)) {
    answered_ = finished_ = true;
    report_.results = v->results;
    trace("verdict", std::string(to_string(v->what)));
  }
}

// Takes events until the header stage, or the message, has ended; the error of a broken session.
awaitable<std::optional<error>> host_delivery::wait_for_answer() {
  const bool for_verdict = answered_;
  while (!(for_verdict ? finished_ : answered_)) {
    const auto event = session_.next_event();
    note(event);
    if (const auto* c = std::get_if<delivery::client_closed>(&event))
      co_return c->problem.value_or(error{fault::temporary, "closed", "", "the server closed"});
    if (!std::holds_alternative<delivery::client_needs_input>(event)) continue;
    if (auto more = co_await read_more(); !more) co_return std::move(more).error();
  }
  co_return std::nullopt;
}

// True if the body is wanted; false if the host needs nothing more (all have it) or declined.
awaitable<result<bool>> host_delivery::header_stage() {
  if (auto good = co_await connect(); !good) co_return std::move(good).error();
  if (auto good = session_.offer(header_); !good) co_return std::move(good).error();
  if (auto good = flush(); !good) co_return std::move(good).error();
  trace("offered",
        fmt::format("{} octets of header, {} of body", header_.size(), header_.body_size()));
  if (auto problem = co_await wait_for_answer()) co_return std::move(*problem);
  co_return accepted_;
}

awaitable<result<void>> host_delivery::send_body() {
  if (auto good = session_.data(); !good) co_return std::move(good).error();
  std::vector<char> piece(piece_size);
  for (std::uint64_t at = 0; at < header_.body_size();) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), header_.body_size() - at));
    if (auto good = body_.read_at(at, piece.data(), count); !good)
      co_return std::move(good).error();
    if (auto good = session_.body(octets(piece.data(), count)); !good)
      co_return std::move(good).error();
    if (auto good = flush(); !good) co_return std::move(good).error();
    connection_->arm(options_.bounds.line);
    co_await connection_->drained();
    at += count;
  }
  co_return flush();
}

awaitable<result<void>> host_delivery::body_stage() {
  sent_body_ = true;
  // The sending runs beside the reading: a server may answer, or close, before the body's end.
  auto sending = co_await send_body();
  if (!sending && sending.error().kind == fault::caller) co_return sending;
  if (auto problem = co_await wait_for_answer()) co_return std::move(*problem);
  co_return result<void>();
}

awaitable<void> host_delivery::run(header_round& round) {
  auto wanted = co_await header_stage();
  if (!wanted) fail(wanted.error());
  round.answered(wanted && report_.problem.empty());
  if (wanted && *wanted) {
    if (connection_) connection_->disarm();
    if (round.unanswered > 0) co_await round.over.async_wait(as_result);
    if (round.unanswered > 0) round.all_accept = false;  // too late now for those who still answer
    if (round.all_accept) {
      if (auto good = co_await body_stage(); !good) fail(good.error());
    } else {
      // Nothing is left to say but CANCEL; that it may not arrive does no harm.
      if (session_.cancel() && !flush()) connection_->close();
    }
  }
  if (!connection_) co_return;
  if (session_.done() && !flush()) connection_->close();
  connection_->arm(options_.bounds.handshake);
  co_await connection_->finish();
}

}  // namespace ima::net
