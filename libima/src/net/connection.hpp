#pragma once

#include "net/asio.hpp"

#include <ima/error.hpp>
#include <ima/tls/engine.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ima::net {

/// A TCP connection with a TLS engine over it. All calls come from one strand; one coroutine reads
/// while another (started by start_writing) writes, so that neither side can make the other stop.
class connection {
 public:
  connection(tcp::socket socket, tls::engine engine);

  /// Completes the handshake.
  awaitable<result<void>> handshake();
  /// Waits for plaintext. The view lives until the next call; empty at the end.
  awaitable<result<octets>> read();
  /// Encrypts and lets the writer send. See full().
  result<void> write(octets plaintext);
  /// So much waits to be sent that the caller should await drained() first.
  bool full() const noexcept;
  awaitable<void> drained();
  /// Sends what waits, with the end of the TLS stream, then reads on, unless somebody does, and
  /// closes when the other side did, or after `linger`, whatever deadline is set meanwhile.
  awaitable<void> finish(std::chrono::milliseconds linger = std::chrono::seconds(2));

  /// Closes the connection if disarm() or another arm() does not come in time.
  void arm(std::chrono::milliseconds patience);
  void disarm();
  /// Stops the clock while the wait is for ourselves; resume() goes on with what was left.
  void pause();
  void resume();
  bool is_closed() const noexcept { return closed_; }
  /// True where the other side has yet to take something.
  bool is_sending() const noexcept { return writing_ || !engine_.pending_output().empty(); }
  bool timed_out() const noexcept { return timed_out_; }
  /// True where the other side is gone, so that nobody waits for an answer: the stream ended
  /// without the end of TLS. Asked while nobody reads.
  bool is_abandoned();

  /// Runs until the connection is closed; spawned once by the owner.
  awaitable<void> write_loop();
  void close();
  /// Lets a read() that waits, or comes later, fail at once. Writing goes on.
  void interrupt();

  const tls::engine& tls() const noexcept { return engine_; }
  std::string peer_address() const;
  std::string peer_network() const;
  asio::any_io_executor executor() { return socket_.get_executor(); }

 private:
  struct received {
    asio::error_code failed;
    std::size_t count = 0;
  };
  awaitable<received> read_socket();
  awaitable<result<void>> receive_some();
  error lost(const std::string& why) const;
  void stop_clock();

  tcp::socket socket_;
  tls::engine engine_;
  asio::steady_timer wake_;  // cancelled to wake the writer, and whoever waits for drained()
  asio::steady_timer deadline_;
  std::vector<char> ciphertext_;  // empty while the connection waits
  std::vector<char> plaintext_;   // the same
  std::unique_ptr<asio::cancellation_signal> interruption_;
  std::shared_ptr<std::uint64_t> arming_;  // which arm() is the last; gone with the connection
  std::optional<std::chrono::nanoseconds> left_;  // of the deadline, while paused
  bool armed_ = false;
  bool interrupted_ = false;
  bool writing_ = false;
  bool reading_ = false;
  bool lingering_ = false;
  bool closed_ = false;
  bool timed_out_ = false;
  bool more_read_ = false;  // than the last read() gave, perhaps
};

}  // namespace ima::net
