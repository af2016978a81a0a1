#include "net/retrieval_link.hpp"

#include "net/dial.hpp"
#include "net/endpoint.hpp"
#include "net/interruption.hpp"
#include "net/resolver.hpp"
#include "support/try.hpp"
#include "tls/context_content.hpp"

#include <ima/tls/engine.hpp>

#include <algorithm>
#include <variant>

namespace ima::net {

namespace {

constexpr std::string_view service = "_imrp._tcp";
constexpr std::uint16_t default_port = 20093;
constexpr std::size_t piece_size = 64 * 1024;

using clock = std::chrono::steady_clock;
using retrieval::message_outcome;
namespace reply = retrieval::reply;

}  // namespace

retrieval_link::retrieval_link(const retrieval_client_options& options)
    : options_(options), session_({options.host, options.bounds}) {}

clock::time_point retrieval_link::deadline() const {
  if (until_) return *until_;
  return options_.timeout ? clock::now() + *options_.timeout : clock::time_point::max();
}

// Runs the loop until one piece of work is done. The writer lives in the same loop and never
// ends, so the loop is driven step by step. What the caller's own functions throw goes back to
// him, and ends the connection, as nobody takes the rest of the answer.
template <class T>
T retrieval_link::wait(awaitable<T> work) {
  std::optional<T> outcome;
  std::exception_ptr thrown;
  asio::co_spawn(
      loop_,
      [](awaitable<T> w, std::optional<T>& out) -> awaitable<void> {
        out.emplace(co_await std::move(w));
      }(std::move(work), outcome),
      [&thrown](std::exception_ptr e) { thrown = std::move(e); });
  const auto until = deadline();
  interruption watch(options_.interrupted);
  while (!outcome && !thrown) {
    try {
      if (watch.run_one(loop_, until))
        return give_up({fault::unknown, "interrupted", options_.host, "the call was interrupted"});
    } catch (...) {
      thrown = std::current_exception();
    }
    if (!outcome && !thrown && clock::now() >= until)
      return give_up({fault::temporary, "timeout", options_.host, "the operation took too long"});
  }
  if (!thrown) return std::move(*outcome);
  give_up({fault::unknown, "interrupted", options_.host, "a function of the caller's threw"});
  if (connection_) connection_->close();
  std::rethrow_exception(thrown);
}

// What was under way is never run again; it goes with the loop.
error retrieval_link::give_up(error why) {
  broken_ = std::move(why);
  return *broken_;
}

error retrieval_link::lost(const char* how) const {
  return {fault::temporary, "connection", options_.host, how};
}

result<void> retrieval_link::open(const tls::context& tls) {
  IMA_CHECK(tls::check_made_for(tls, tls::protocol::imrp));
  IMA_CHECK(check_endpoints(options_.hosts));
  IMA_CHECK(wait(dial_host(tls)));
  IMA_CHECK(ask({}));  // the greeting
  return {};
}

awaitable<result<void>> retrieval_link::dial_host(const tls::context& tls) {
  auto dns = resolver::create(loop_, options_.dns);
  if (!dns) co_return std::move(dns).error();
  const destination to{options_.host, service, default_port, &options_.hosts};
  co_return co_await dial(*dns, to, options_.bounds, clock::now() + options_.bounds.line,
                          [&](tcp::socket s) { return take_socket(std::move(s), tls); });
}

awaitable<result<void>> retrieval_link::take_socket(tcp::socket socket, const tls::context& tls) {
  auto engine = tls::engine::client(tls, options_.host, options_.certificate_name);
  if (!engine) co_return std::move(engine).error();
  connection_ = std::make_shared<connection>(std::move(socket), std::move(*engine));
  asio::co_spawn(
      loop_, [c = connection_]() -> awaitable<void> { co_await c->write_loop(); }, asio::detached);
  connection_->arm(options_.bounds.handshake);
  auto good = co_await connection_->handshake();
  if (!good) connection_->close();
  co_return good;
}

awaitable<result<void>> retrieval_link::flush() {
  const octets waiting = session_.pending_output();
  if (waiting.empty()) co_return result<void>();
  const std::size_t count = waiting.size();
  IMA_CO_CHECK(connection_->write(waiting));
  session_.sent(count);
  co_return result<void>();
}

awaitable<result<void>> retrieval_link::read_more() {
  if (const auto patience = session_.timeout())
    connection_->arm(*patience);
  else
    connection_->disarm();
  start_reading();
  while (!arrived_) co_await arrival_.async_wait(as_result);
  co_return take_arrived();
}

void retrieval_link::start_reading() {
  if (std::exchange(reading_, true)) return;
  asio::co_spawn(
      loop_,
      [this]() -> awaitable<void> {
        arrived_.emplace(co_await connection_->read());
        arrival_.cancel();
      },
      asio::detached);
}

result<void> retrieval_link::take_arrived() {
  reading_ = false;
  const auto got = *std::exchange(arrived_, std::nullopt);
  if (!got) return got.error();
  if (got->empty())
    session_.receive_eof();
  else
    session_.receive(*got);
  return {};
}

// Up to the end of the request in hand, or to the greeting.
awaitable<result<reply::done>> retrieval_link::read_answer() {
  IMA_CO_CHECK(co_await flush());
  for (;;) {
    auto event = session_.next_event();
    if (!event) co_return std::move(event).error();
    if (auto* end = std::get_if<reply::done>(&*event)) co_return std::move(*end);
    if (auto* greeting = std::get_if<reply::greeting>(&*event)) {
      capabilities_ = std::move(greeting->capabilities);
      co_return reply::done{};
    }
    if (std::holds_alternative<reply::accepted>(*event)) {
      answer_.accepted = true;
      co_return reply::done{};
    }
    if (std::holds_alternative<reply::closed>(*event)) co_return lost("the post office closed");
    if (std::holds_alternative<reply::need_input>(*event))
      IMA_CO_CHECK(co_await read_more());
    else
      IMA_CO_CHECK(take(*event));
  }
}

result<void> retrieval_link::take(retrieval::client_event& event) {
  if (auto* f = std::get_if<reply::folder>(&event)) {
    answer_.folders.push_back(std::move(f->info));
  } else if (auto* c = std::get_if<reply::changed_entry>(&event)) {
    answer_.changes.push_back(std::move(c->what));
  } else if (auto* g = std::get_if<reply::gone>(&event)) {
    answer_.exceptions.emplace_back(std::move(g->id), message_outcome::gone);
  } else if (auto* u = std::get_if<reply::changed>(&event)) {
    answer_.exceptions.emplace_back(std::move(u->id), message_outcome::changed);
  } else if (auto* d = std::get_if<reply::copied>(&event)) {
    answer_.copies.emplace_back(std::move(d->id), std::move(d->new_id));
  } else if (auto* s = std::get_if<reply::found>(&event)) {
    answer_.hits.push_back(std::move(s->id));
  } else if (auto* q = std::get_if<reply::queued>(&event)) {
    answer_.queued.push_back(std::move(q->what));
  } else if (const auto* o = std::get_if<reply::outcome>(&event)) {
    listener_.sending->outcome(o->what);
  } else if (const auto* n = std::get_if<reply::note>(&event)) {
    listener_.sending->note(n->host, n->text);
  } else if (auto* e = std::get_if<reply::event>(&event)) {
    std::erase_if(events_, [&](const auto& known) { return known.folder == e->now.folder; });
    events_.push_back(std::move(e->now));
  } else if (const auto* h = std::get_if<reply::header>(&event)) {
    return (*listener_.header)(h->id, h->block, h->record);
  } else if (const auto* p = std::get_if<reply::part_octets>(&event)) {
    answer_.octets += p->bytes.size();
    return (*listener_.octets)(p->bytes);
  }
  return {};
}

// Sends the body that was accepted, in the pieces in which it is read; parts that the post office
// has are passed over.
awaitable<result<void>> retrieval_link::upload(const outgoing_message& message) {
  std::string piece;
  if (session_.body_left() == 0) IMA_CO_CHECK(session_.body({}));
  for (std::size_t i = 0; i < message.header.parts().size(); ++i) {
    if (i < message.had.size() && message.had[i]) continue;
    const part_info& part = message.header.parts()[i];
    for (std::uint64_t at = 0; at < part.size; at += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, part.size - at)));
      IMA_CO_CHECK(message.body.read_at(part.offset + at, piece.data(), piece.size()));
      IMA_CO_CHECK(session_.body(piece));
      IMA_CO_CHECK(co_await flush());
      connection_->arm(options_.bounds.line);  // the post office takes what it accepted
      co_await connection_->drained();
      connection_->disarm();
      if (connection_->is_closed()) co_return lost("lost");
    }
  }
  co_return result<void>();
}

awaitable<result<reply::done>> retrieval_link::offer(outgoing_message message) {
  auto end = co_await read_answer();
  if (!end || !answer_.accepted) co_return end;
  IMA_CO_CHECK(co_await upload(message));
  co_return co_await read_answer();
}

result<reply::done> retrieval_link::ask(result<void> asked, const retrieval_listener& to) {
  if (broken_) return *broken_;
  IMA_CHECK(std::move(asked));
  answer_ = {};
  listener_ = to;
  return conclude(wait(read_answer()));
}

result<reply::done> retrieval_link::ask(result<void> asked, outgoing_message message,
                                        const retrieval_listener& to) {
  if (broken_) return *broken_;
  IMA_CHECK(std::move(asked));
  answer_ = {};
  listener_ = to;
  return conclude(wait(offer(std::move(message))));
}

// Where a request has no answer nobody knows what became of it.
error retrieval_link::known(error why) const {
  const bool gone = why.rule == "connection" || why.rule == "tls-truncated";
  if (!gone || session_.outstanding() == 0) return why;
  return {fault::unknown, "connection-lost", options_.host, std::move(why.text)};
}

result<reply::done> retrieval_link::conclude(result<reply::done> end) {
  if (!end) {
    broken_ = known(end.error());
    if (connection_) connection_->close();
    return *broken_;
  }
  if (!end->failed) return end;
  const reply::failure& why = *end->failed;
  return error{why.temporary ? fault::temporary : fault::refused, to_string(why.why), options_.host,
               why.text};
}

result<std::optional<retrieval::watched_folder>> retrieval_link::wait_for_event(
    clock::time_point until) {
  if (connection_) connection_->disarm();
  while (events_.empty()) {
    if (broken_) return *broken_;
    auto event = session_.next_event();
    if (!event) {
      IMA_CHECK(conclude(std::move(event).error()));
    } else if (std::holds_alternative<reply::closed>(*event)) {
      IMA_CHECK(conclude(lost("it closed")));
    } else if (!std::holds_alternative<reply::need_input>(*event)) {
      IMA_CHECK(take(*event));
    } else {
      start_reading();
      while (!arrived_)
        if (loop_.run_one_until(until) == 0) return std::optional<retrieval::watched_folder>();
      if (auto good = take_arrived(); !good) IMA_CHECK(conclude(std::move(good).error()));
    }
  }
  std::optional<retrieval::watched_folder> first(std::move(events_.front()));
  events_.pop_front();
  return first;
}

awaitable<result<void>> retrieval_link::say_done() {
  auto good = co_await flush();
  connection_->arm(options_.bounds.handshake);
  co_await connection_->finish();
  co_return good;
}

result<void> retrieval_link::finish() {
  if (broken_) return *broken_;
  IMA_CHECK(session_.done());
  auto said = wait(say_done());
  if (!broken_)
    broken_ = error{fault::caller, "out-of-turn", options_.host, "the connection was closed"};
  return said;
}

}  // namespace ima::net
