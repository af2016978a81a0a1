#include "net/connection.hpp"

#include "support/try.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::net {
namespace {

constexpr std::size_t read_size = 64 * 1024;
constexpr std::size_t write_high = 256 * 1024;

}  // namespace

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  if (endpoint.address().is_v6()) return fmt::format("[{}]:{}", host, endpoint.port());
  return fmt::format("{}:{}", host, endpoint.port());
}

connection::connection(tcp::socket socket, tls::engine engine)
    : socket_(std::move(socket)),
      engine_(std::move(engine)),
      wake_(socket_.get_executor(), asio::steady_timer::time_point::max()),
      deadline_(socket_.get_executor()),
      ciphertext_(read_size),
      plaintext_(read_size) {
  asio::error_code ignored;  // without it small replies are late, and nothing else changes
  socket_.set_option(tcp::no_delay(true), ignored);
}

std::string connection::peer_address() const {
  asio::error_code failed;
  const auto endpoint = socket_.remote_endpoint(failed);
  return failed ? "unknown" : text_of(endpoint);
}

error connection::lost(const std::string& why) const {
  if (timed_out_) return {fault::temporary, "timeout", "", "the other side took too long"};
  return {fault::temporary, "connection", "", "the connection was lost: " + why};
}

awaitable<result<void>> connection::receive_some() {
  const auto [failed, count] =
      co_await socket_.async_read_some(asio::buffer(ciphertext_), as_result);
  if (failed == asio::error::eof) {
    engine_.receive_eof();
  } else if (failed) {
    co_return lost(failed.message());
  } else {
    engine_.receive(octets(ciphertext_.data(), count));
  }
  co_return result<void>();
}

awaitable<result<void>> connection::handshake() {
  while (true) {
    char none = 0;
    auto step = engine_.read(&none, 0);
    wake_.cancel();  // the engine has something to send, its alert too
    if (!step) co_return std::move(step).error();
    if (engine_.handshake_done()) co_return result<void>();
    if (auto got = co_await receive_some(); !got) co_return std::move(got).error();
  }
}

awaitable<result<octets>> connection::read() {
  while (true) {
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
    if (filled > 0 || engine_.closed()) co_return octets(plaintext_.data(), filled);
    if (auto got = co_await receive_some(); !got) co_return std::move(got).error();
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

awaitable<void> connection::finish() {
  engine_.shutdown();
  wake_.cancel();
  while (!closed_ && (writing_ || !engine_.pending_output().empty()))
    co_await wake_.async_wait(as_result);
  asio::error_code ignored;  // the peer may be gone already, which is what we want
  if (!closed_) socket_.shutdown(tcp::socket::shutdown_send, ignored);
  close();
}

void connection::close() {
  closed_ = true;
  asio::error_code ignored;  // there is nothing left to do about it
  socket_.close(ignored);
  deadline_.cancel();
  wake_.cancel();
}

void connection::arm(std::chrono::milliseconds patience) {
  deadline_.expires_after(patience);
  deadline_.async_wait([this](asio::error_code cancelled) {
    if (cancelled || closed_) return;
    timed_out_ = true;
    close();
  });
}

void connection::disarm() { deadline_.cancel(); }

}  // namespace ima::net
