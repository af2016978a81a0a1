// The same conversation driven by a program's own Asio loop, with a progress line for its user.
//
//   deliver_with_asio CHAIN KEY CA HOSTPART ADDRESS PORT MESSAGE

#include "conversation.hpp"

#include <asio.hpp>

#include <array>
#include <iostream>

namespace {

using asio::ip::tcp;

class connection {
 public:
  connection(asio::io_context& loop, conversation& talk)
      : socket_(loop), timer_(loop), talk_(talk) {}

  void start(const char* address, const char* port) {
    asio::error_code unknown;
    const auto found = tcp::resolver(socket_.get_executor()).resolve(address, port, unknown);
    if (unknown) return fail(unknown);
    asio::async_connect(socket_, found, [this](asio::error_code failed, const tcp::endpoint&) {
      if (failed) return fail(failed);
      write();
      read();
    });
  }
  bool failed() const noexcept { return failed_; }

 private:
  void read() {
    timer_.expires_after(talk_.timeout());
    timer_.async_wait([this](asio::error_code cancelled) {
      if (!cancelled) fail(asio::error::timed_out);
    });
    socket_.async_read_some(asio::buffer(buffer_), [this](asio::error_code lost, std::size_t n) {
      timer_.cancel();
      if (lost && lost != asio::error::eof) return fail(lost);
      if (const auto good = talk_.receive({buffer_.data(), n}); !good) {
        std::cerr << good.error().message() << '\n';
        return fail({});
      }
      if (!writing_) write();
      if (socket_.is_open() && !talk_.over()) read();
    });
  }

  void write() {
    const ima::octets waiting = talk_.output();
    writing_ = !waiting.empty();
    if (!writing_ && talk_.over()) return close();
    if (!writing_) return;
    socket_.async_write_some(asio::buffer(waiting.data(), waiting.size()),
                             [this](asio::error_code lost, std::size_t n) {
                               if (lost) return fail(lost);
                               talk_.sent(n);
                               write();
                             });
  }

  void fail(asio::error_code why) {
    if (why == asio::error::operation_aborted) return;
    if (why) std::cerr << why.message() << '\n';
    failed_ = true;
    close();
  }
  void close() {
    asio::error_code ignored;  // it is over either way
    socket_.close(ignored);
    timer_.cancel();
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  conversation& talk_;
  std::array<char, 16384> buffer_;
  bool writing_ = false;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::cerr << "usage: deliver_with_asio CHAIN KEY CA HOSTPART ADDRESS PORT MESSAGE\n";
    return 64;
  }
  auto talk = conversation::begin({argv[1], argv[2]}, argv[3], argv[4], argv[7]);
  if (!talk) return std::cerr << talk.error().message() << '\n', 1;
  asio::io_context loop;
  connection link(loop, *talk);
  link.start(argv[5], argv[6]);
  loop.run();
  return talk->delivered() && !link.failed() ? 0 : 1;
}
