#include "net/delivery_link.hpp"

#include "net/dial.hpp"
#include "net/worker.hpp"
#include "support/try.hpp"
#include "tls/context_content.hpp"
#include "wire/paced_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ima::net {
namespace {

constexpr std::string_view service = "_imdp._tcp";
constexpr std::uint16_t default_port = 20025;
constexpr std::size_t piece_size = 256 * 1024;

// docs/delivery.md section 9: so many seconds for every so many octets.
std::chrono::milliseconds body_patience(std::size_t octets, const limits& bounds) {
  const std::uint64_t step = wire::due_in_grace(bounds);
  return bounds.body_grace * static_cast<std::int64_t>((octets + step - 1) / step);
}

// The body could not be read, and where it lies is nobody else's business.
error our_fault(const error& why) { return {why.kind, why.rule, "", why.text}; }

}  // namespace

result<void> check_own_certificate(const tls::context& tls, std::string_view domain,
                                   std::chrono::system_clock::time_point now) {
  IMA_CHECK(tls::check_made_for(tls, tls::protocol::imdp));
  const tls::certificate_facts* const ours = tls.own_certificate(domain);
  if (ours == nullptr)
    return error{fault::caller, "no-certificate", "",
                 fmt::format("none of our certificates proves '{}'", domain)};
  if (now > ours->not_after)
    return error{fault::temporary, "certificate-expired", "",
                 fmt::format("our certificate for '{}' has expired", domain)};
  return {};
}

delivery_link::delivery_link(sending_means& means, std::string host, std::string sender)
    : means_(means),
      host_(std::move(host)),
      sender_(std::move(sender)),
      changed_(means.loop, asio::steady_timer::time_point::max()) {}

awaitable<result<void>> delivery_link::open(clock::time_point until) {
  until_ = until;
  if (auto ours = check_own_certificate(means_.tls, sender_, means_.now()); !ours) co_return ours;
  destination to{host_, service, default_port, &means_.hosts};
  // Named, as g++ 12 destroys such a temporary of a co_await expression twice.
  take_socket take_one = [self = shared_from_this()](tcp::socket s) {
    return self->take(std::move(s));
  };
  co_return co_await dial(means_.dns, std::move(to), means_.bounds, until, std::move(take_one));
}

awaitable<result<void>> delivery_link::take(tcp::socket socket) {
  auto engine = tls::engine::client(means_.tls, host_, sender_);
  if (!engine) co_return std::move(engine).error();
  connection_ = std::make_shared<connection>(std::move(socket), std::move(*engine));
  session_.emplace(delivery::client_options{host_, means_.bounds});
  began_ = clock::now();
  watched_step_ = UINT64_MAX;
  asio::co_spawn(
      means_.loop, [c = connection_]() -> awaitable<void> { co_await c->write_loop(); },
      asio::detached);
  arm(means_.bounds.handshake);
  auto good = co_await connection_->handshake();
  if (good) good = co_await greeting();
  if (!good) {
    arm(means_.bounds.handshake);
    co_await connection_->finish();  // our alert goes out
    co_return good;
  }
  ended_ = body_open_ = false;
  asio::co_spawn(
      means_.loop, [self = shared_from_this()]() -> awaitable<void> { co_await self->read_loop(); },
      asio::detached);
  co_return good;
}

awaitable<result<void>> delivery_link::greeting() {
  while (true) {
    const auto event = session_->next_event();
    if (std::holds_alternative<delivery::greeting_received>(event)) co_return result<void>();
    if (const auto* c = std::get_if<delivery::client_closed>(&event))
      co_return c->problem.value_or(error{fault::temporary, "closed", host_, "the server closed"});
    if (auto more = co_await read_more(); !more) co_return more;
  }
}

bool delivery_link::usable() const {
  if (ended_ || current_ != nullptr || body_open_) return false;
  if (clock::now() - began_ > means_.bounds.connection) return false;
  const auto now = means_.now();
  return check_own_certificate(means_.tls, sender_, now) &&
         tls::vouches_for(connection_->tls().peer(), host_,
                          std::chrono::floor<std::chrono::seconds>(now));
}

// The session says how long the wait it is in may last; what comes meanwhile does not prolong it.
void delivery_link::watch() {
  if (session_->step() == watched_step_) return;
  watched_step_ = session_->step();
  if (const auto patience = session_->timeout())
    arm(*patience);
  else
    connection_->disarm();
}

void delivery_link::arm(std::chrono::milliseconds patience) {
  if (until_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until_ - clock::now());
    patience = std::clamp(patience, std::chrono::milliseconds(0),
                          std::max(left, std::chrono::milliseconds(0)));
  }
  connection_->arm(patience);
}

awaitable<result<void>> delivery_link::read_more() {
  watch();
  auto got = co_await connection_->read();
  if (!got) co_return std::move(got).error();
  if (got->empty()) {
    session_->receive_eof();
  } else {
    session_->receive(*got);
  }
  co_return result<void>();
}

awaitable<void> delivery_link::read_loop() {
  while (!ended_) {
    auto event = session_->next_event();
    if (auto* c = std::get_if<delivery::client_closed>(&event)) {
      end(c->problem.value_or(error{fault::temporary, "closed", host_, "the server closed"}));
    } else if (std::holds_alternative<delivery::client_needs_input>(event)) {
      if (auto more = co_await read_more(); !more) end(std::move(more).error());
    } else {
      heard(std::move(event));
    }
  }
}

void delivery_link::heard(delivery::client_event event) {
  if (current_ == nullptr) return;  // a remark behind a message that is done with
  exchange& about = *current_;
  about.hear(event);
  if (std::holds_alternative<delivery::offer_accepted>(event)) about.accepted = true;
  if (auto* d = std::get_if<delivery::offer_declined>(&event)) about.declined = std::move(*d);
  if (auto* c = std::get_if<delivery::delivery_complete>(&event)) about.complete = std::move(*c);
  about.over = about.declined || about.complete;
  if (about.over) current_ = nullptr;
  changed_.cancel();
}

// The connection is of no more use.
void delivery_link::end(error why) {
  if (std::exchange(ended_, true)) return;
  connection_->close();
  why_ended_ = std::move(why);
  settle();
}

// Whether a message in hand was delivered is unknown only if all of it may have arrived: a server
// cannot have taken what it did not get.
void delivery_link::settle() {
  if (exchange* const about = std::exchange(current_, nullptr)) {
    error why = why_ended_;
    if (about->sent) {
      why = {fault::unknown, "no-verdict", host_, why.message()};
    } else if (why.kind == fault::unknown) {
      why.kind = fault::temporary;
      why.rule = "closed";
    }
    about->problem = std::move(why);
    about->over = true;
  }
  changed_.cancel();
}

void delivery_link::flush() {
  const octets waiting = session_->pending_output();
  if (waiting.empty() || ended_) return;
  const std::size_t count = waiting.size();
  auto taken = connection_->write(waiting);
  session_->sent(count);
  if (!taken) end(std::move(taken).error());
}

awaitable<void> delivery_link::offer(const header_block& header, exchange& about,
                                     clock::time_point until) {
  until_ = until;
  current_ = &about;
  if (ended_)
    settle();  // since it was opened, and nobody had asked yet
  else if (auto good = session_->offer(header); !good)
    end(std::move(good).error());
  flush();
  if (!ended_) watch();
  while (!about.accepted && !about.over) co_await changed_.async_wait(as_result);
}

awaitable<void> delivery_link::send_body(const header_block& header, body_source& body,
                                         exchange& about) {
  until_ = clock::now() + means_.bounds.connection;
  co_await send_pieces(header, body, about);
  while (!about.over) co_await changed_.async_wait(as_result);
}

awaitable<void> delivery_link::send_pieces(const header_block& header, body_source& body,
                                           exchange& about) {
  if (about.over) co_return;
  if (auto good = session_->data(); !good) co_return end(std::move(good).error());
  watch();  // from here to the last octet the deadline is ours, whatever the server says
  const std::uint64_t size = header.body_size();
  body_open_ = size > 0;
  about.sent = size == 0;
  std::vector<char> piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, piece_size)));
  for (std::uint64_t at = 0; at < size && !about.over;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - at));
    auto got =
        co_await on_worker(means_.workers, [&] { return body.read_at(at, piece.data(), count); });
    if (about.over) co_return;
    if (!got) co_return end(our_fault(got.error()));
    at += count;
    if (auto good = session_->body(octets(piece.data(), count)); !good)
      co_return end(std::move(good).error());
    about.sent = at == size;
    body_open_ = !about.sent;
    flush();
    if (about.over) co_return;
    arm(body_patience(count, means_.bounds));
    co_await connection_->drained();
  }
  if (about.over) co_return;
  until_.reset();
  flush();
  watch();
}

void delivery_link::withdraw() {
  current_ = nullptr;
  if (ended_) return;
  if (session_->cancel()) flush();
}

awaitable<void> delivery_link::close() {
  const auto self = shared_from_this();
  if (ended_) co_return;
  until_.reset();
  if (session_->done()) flush();
  if (ended_) co_return;
  arm(means_.bounds.handshake);
  co_await connection_->finish();
}

}  // namespace ima::net
