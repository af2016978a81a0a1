#include "net/connection.hpp"

#include "net/endpoint.hpp"
#include "support/try.hpp"

#include <utility>

namespace ima::net {
namespace {

constexpr std::size_t read_size = 64 * 1024;
constexpr std::size_t write_high = 256 * 1024;
constexpr std::size_t flood = 4 * write_high;

}  // namespace

connection::connection(tcp::socket socket, tls::engine engine)
    : socket_(std::move(socket)),
      engine_(std::move(engine)),
      wake_(socket_.get_executor(), asio::steady_timer::time_point::max()),
      deadline_(socket_.get_executor()),
      interruption_(std::make_unique<asio::cancellation_signal>()),
      arming_(std::make_shared<std::uint64_t>(0)) {
  asio::error_code ignored;  // without it small replies are late, and nothing else changes
  socket_.set_option(tcp::no_delay(true), ignored);
}

std::string connection::peer_address() const {
  asio::error_code failed;
  const auto endpoint = socket_.remote_endpoint(failed);
  return failed ? "unknown" : text_of(endpoint);
}

std::string connection::peer_network() const {
  asio::error_code failed;
  const auto endpoint = socket_.remote_endpoint(failed);
  return failed ? "unknown" : network_of(endpoint.address());
}

error connection::lost(const std::string& why) const {
  if (timed_out_) return {fault::temporary, "timeout", "", "the other side took too long"};
  return {fault::temporary, "connection", "", "the connection was lost: " + why};
}

// A peer that makes TLS answer it (key updates) and reads nothing is not read from either. What a
// sender has under way is less than that: he must be able to read while he writes.
awaitable<result<void>> connection::receive_some() {
  while (!closed_ && engine_.pending_output().size() > flood) co_await wake_.async_wait(as_result);
  if (interrupted_) co_return lost("it was interrupted");
  reading_ = true;
  const auto [failed, count] = co_await read_socket();
  reading_ = false;
  if (lingering_) wake_.cancel();  // finish() goes on with it where the reader does not
  if (failed == asio::error::eof) {
    engine_.receive_eof();
  } else if (failed) {
    co_return lost(failed.message());
  } else {
    engine_.receive(octets(ciphertext_.data(), count));
  }
  co_return result<void>();
}

// A connection that waits keeps no buffers: thousands may be idle.
awaitable<connection::received> connection::read_socket() {
  for (;;) {
    std::vector<char>().swap(ciphertext_);
    std::vector<char>().swap(plaintext_);
    const auto waited = co_await socket_.async_wait(
        tcp::socket::wait_read, asio::bind_cancellation_slot(interruption_->slot(), as_result));
    received got{std::get<0>(waited), 0};
    if (got.failed) co_return got;
    ciphertext_.resize(read_size);
    socket_.non_blocking(true, got.failed);
    if (!got.failed) got.count = socket_.read_some(asio::buffer(ciphertext_), got.failed);
    if (got.failed != asio::error::would_block) co_return got;
  }
}

awaitable<result<void>> connection::handshake() {
  while (true) {
    char none = 0;
    auto step = engine_.read(&none, 0);
    wake_.cancel();  // the engine has something to send, its alert too
    if (!step) co_return std::move(step).error();
    if (engine_.handshake_done()) co_return result<void>();
    IMA_CO_CHECK(co_await receive_some());
  }
}

awaitable<result<octets>> connection::read() {
  while (true) {
    plaintext_.resize(read_size);
    auto count = engine_.read(plaintext_.data(), plaintext_.size());
    if (!count) {
      wake_.cancel();
      co_return std::move(count).error();
    }
    std::size_t filled = *count;
    // Gathering several records into one view makes one trip to the workers of them.
    while (filled > 0 && filled < plaintext_.size()) {
      count = engine_.read(plaintext_.data() + filled, plaintext_.size() - filled);
      if (!count || *count == 0) break;  // an error comes again with the next call
      filled += *count;
    }
    if (!engine_.pending_output().empty()) wake_.cancel();  // TLS itself has something to say
    more_read_ = filled == plaintext_.size();
    if (filled > 0 || engine_.closed()) co_return octets(plaintext_.data(), filled);
    IMA_CO_CHECK(co_await receive_some());
  }
}

result<void> connection::write(octets plaintext) {
  IMA_CHECK(engine_.write(plaintext));
  wake_.cancel();
  return {};
}

bool connection::full() const noexcept { return engine_.pending_output().size() > write_high; }

awaitable<void> connection::drained() {
  while (full() && !closed_) co_await wake_.async_wait(as_result);
}

awaitable<void> connection::write_loop() {
  std::string sending;
  while (!closed_) {
    sending.assign(engine_.pending_output());
    engine_.sent(sending.size());
    if (sending.empty()) {
      std::string().swap(sending);  // as what waits keeps no buffers
      co_await wake_.async_wait(as_result);
      continue;
    }
    writing_ = true;
    const auto [failed, count] =
        co_await asio::async_write(socket_, asio::buffer(sending), as_result);
    writing_ = false;
    if (failed) close();
    wake_.cancel();
  }
}

awaitable<void> connection::finish(std::chrono::milliseconds linger) {
  engine_.shutdown();
  wake_.cancel();
  while (!closed_ && is_sending()) co_await wake_.async_wait(as_result);
  asio::error_code failed;  // the peer may be gone already, which is what we want
  if (!closed_) socket_.shutdown(tcp::socket::shutdown_send, failed);
  // Closing while octets of the peer's wait to be read would reset the connection, and a reset
  // overtakes what was sent last: the peer would never see why.
  if (!closed_) arm(linger);
  lingering_ = true;
  std::vector<char> unread(read_size);  // of our own, as who reads may have his in use
  while (!closed_ && !failed) {
    if (reading_) {  // who reads closes the connection at its end, or reads no more
      co_await wake_.async_wait(as_result);
      continue;
    }
    const auto [ended, count] = co_await socket_.async_read_some(asio::buffer(unread), as_result);
    failed = ended;
  }
  close();
}

void connection::close() {
  closed_ = true;
  asio::error_code ignored;  // there is nothing left to do about it
  socket_.close(ignored);
  stop_clock();
  wake_.cancel();
}

// What waits unread may hold the end of TLS, which who wants his answers yet may have sent.
bool connection::is_abandoned() {
  if (more_read_ || engine_.closed()) return false;
  asio::error_code failed;
  socket_.non_blocking(true, failed);
  char next = 0;
  if (!failed) socket_.receive(asio::buffer(&next, 1), tcp::socket::message_peek, failed);
  return failed && failed != asio::error::would_block;
}

void connection::interrupt() {
  interrupted_ = true;
  interruption_->emit(asio::cancellation_type::terminal);
}

// An expiry that was on its way when the deadline moved, or the connection went, counts no more.
void connection::arm(std::chrono::milliseconds patience) {
  if (lingering_) return;
  armed_ = true;
  left_.reset();
  deadline_.expires_after(patience);
  deadline_.async_wait(
      [this, mine = ++*arming_, last = std::weak_ptr(arming_)](asio::error_code cancelled) {
        const auto now = last.lock();
        if (cancelled || !now || *now != mine || closed_) return;
        timed_out_ = true;
        close();
      });
}

void connection::disarm() {
  if (!lingering_) stop_clock();
}

void connection::stop_clock() {
  ++*arming_;
  armed_ = false;
  left_.reset();
  deadline_.cancel();
}

void connection::pause() {
  if (!armed_) return;
  const auto left = deadline_.expiry() - std::chrono::steady_clock::now();
  disarm();
  left_ = left;
}

void connection::resume() {
  if (left_) arm(std::chrono::ceil<std::chrono::milliseconds>(*left_));
}

}  // namespace ima::net
