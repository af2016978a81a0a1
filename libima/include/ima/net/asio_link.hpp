#pragma once

// For programs with an Asio loop of their own: sessions over TLS as coroutines (docs/embedding.md).
// This header alone includes Asio (standalone; define ASIO_STANDALONE), and all of it is in the
// header, so that libima and the program may have different versions of Asio.

#include <ima/body_source.hpp>
#include <ima/delivery/client.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/retrieval/client.hpp>
#include <ima/tls/context.hpp>
#include <ima/tls/engine.hpp>

#include <asio.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace ima::net {

/// A client session (delivery::client or retrieval::client) over TLS over a connected socket.
/// Octets are carried by the socket's own loop, everything else is the session's: ask it by
/// session(), then take its events by next(). Movable; one coroutine at a time; used on the
/// socket's executor, and not destroyed while a coroutine of it runs. References that it gives, and
/// those that a coroutine is given, must live until that has ended.
template <class Session>
class asio_link {
 public:
  /// What next() gives: delivery::client_event or retrieval::client_event.
  using event = std::decay_t<decltype(*result(std::declval<Session&>().next_event()))>;

  /// Takes the socket, which is connected. `sender` chooses our certificate by the domain it proves
  /// (tls::engine::client). Errors: those of tls::engine::client.
  static result<asio_link> over(asio::ip::tcp::socket socket, const tls::context& tls,
                                std::string_view hostpart, std::string_view sender,
                                const limits& bounds = {}) {
    auto engine = tls::engine::client(tls, hostpart, sender);
    if (!engine) return std::move(engine).error();
    Session session({std::string(hostpart), bounds});
    return asio_link(
        std::make_shared<state>(std::move(socket), *std::move(engine), std::move(session), bounds));
  }

  /// Requests and offers are made here; they leave with the next call of next() or flush().
  Session& session() noexcept { return state_->session; }
  /// What TLS proved of the server; known after the first event.
  const tls::peer_facts& peer() const noexcept { return state_->engine.peer(); }

  /// Sends what the session has to say and waits for its next event; never gives the one that asks
  /// for input. A connection that is lost, or silent for longer than the session would wait, is the
  /// end of its input: it says what that means for what is not answered yet (fault::unknown where
  /// it may have been done). Errors: those of the session and of tls::engine.
  asio::awaitable<result<event>> next() {
    for (;;) {
      if (auto good = co_await flush(); !good) co_return std::move(good).error();
      auto what = result(state_->session.next_event());
      if (!what || !wants_input(*what)) co_return what;
      if (auto good = co_await feed(); !good) co_return std::move(good).error();
    }
  }

  /// Sends what the session has to say, and waits until the network has it. A connection that is
  /// lost meanwhile shows in next(), as the server may have said why. Errors: those of tls::engine.
  asio::awaitable<result<void>> flush() {
    if (auto good = co_await handshake(); !good) co_return good;
    const octets waiting = state_->session.pending_output();
    if (!waiting.empty()) {
      const std::size_t count = waiting.size();
      if (auto good = state_->engine.write(waiting); !good) co_return good;
      state_->session.sent(count);
    }
    co_await send();
    co_return result<void>();
  }

  /// Streams the body that `header` announces, without the parts (counted from 1) in `had`, in
  /// pieces that the network has taken before the next is read. `body` is read on the loop's
  /// thread. Errors: those of the session, of tls::engine and of `body`.
  asio::awaitable<result<void>> send_body(const header_block& header, body_source& body,
                                          const std::vector<std::uint64_t>& had = {}) {
    if constexpr (std::is_same_v<Session, retrieval::client>)
      if (state_->session.body_left() == 0) co_return state_->session.body({});
    std::string piece;
    std::uint64_t number = 0;
    for (const part_info& part : header.parts()) {
      if (std::find(had.begin(), had.end(), ++number) != had.end()) continue;
      for (std::uint64_t at = 0; at < part.size && !state_->lost; at += piece.size()) {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, part.size - at)));
        if (auto good = body.read_at(part.offset + at, piece.data(), piece.size()); !good)
          co_return good;
        if (auto good = state_->session.body(piece); !good) co_return good;
        if (auto good = co_await flush(); !good) co_return good;
      }
    }
    co_return result<void>();
  }

  /// Ends the TLS stream and closes. The destructor just closes.
  asio::awaitable<void> close() {
    state_->engine.shutdown();
    co_await send();
    asio::error_code ignored;  // it is over either way
    state_->socket.close(ignored);
  }

 private:
  static constexpr std::size_t piece_size = 64 * 1024;

  struct state {
    state(asio::ip::tcp::socket s, tls::engine e, Session made, const limits& bounds)
        : socket(std::move(s)),
          timer(socket.get_executor()),
          engine(std::move(e)),
          session(std::move(made)),
          for_handshake(bounds.handshake),
          for_writing(bounds.line),
          ciphertext(piece_size),
          plaintext(piece_size) {}

    asio::ip::tcp::socket socket;
    asio::steady_timer timer;
    tls::engine engine;
    Session session;
    std::chrono::milliseconds for_handshake;
    std::chrono::milliseconds for_writing;
    std::vector<char> ciphertext;  // what the engine may refer to
    std::vector<char> plaintext;   // what the session may refer to
    std::uint64_t waits = 0;       // begun; a timer that fires late must not end the next one
    bool lost = false;
  };

  explicit asio_link(std::shared_ptr<state> s) : state_(std::move(s)) {}

  static bool wants_input(const delivery::client_event& e) {
    return std::holds_alternative<delivery::client_needs_input>(e);
  }
  static bool wants_input(const retrieval::client_event& e) {
    return std::holds_alternative<retrieval::reply::need_input>(e);
  }

  asio::awaitable<result<void>> handshake() {
    state& s = *state_;
    while (!s.engine.handshake_done()) {
      auto done = s.engine.read(nullptr, 0);
      co_await send();  // an alert, too
      if (!done) co_return std::move(done).error();
      if (!s.engine.handshake_done()) co_await receive(s.for_handshake);
    }
    co_return result<void>();
  }

  // Plain octets for the session, or the end of its input.
  asio::awaitable<result<void>> feed() {
    state& s = *state_;
    for (;;) {
      auto got = s.engine.read(s.plaintext.data(), s.plaintext.size());
      co_await send();
      if (!got && got.error().kind == fault::peer) co_return std::move(got).error();
      if (!got || (*got == 0 && s.engine.closed())) {
        s.session.receive_eof();
        co_return result<void>();
      }
      if (*got > 0) {
        s.session.receive({s.plaintext.data(), *got});
        co_return result<void>();
      }
      co_await receive(s.session.timeout());
    }
  }

  asio::awaitable<void> send() {
    state& s = *state_;
    while (!s.engine.pending_output().empty()) {
      const octets waiting = s.engine.pending_output();
      asio::error_code failed;
      if (!s.lost) {
        limit_wait(s.for_writing);
        co_await asio::async_write(s.socket, asio::buffer(waiting.data(), waiting.size()),
                                   asio::redirect_error(asio::use_awaitable, failed));
        end_wait();
      }
      s.lost = s.lost || failed;
      s.engine.sent(waiting.size());
    }
  }

  asio::awaitable<void> receive(std::optional<std::chrono::milliseconds> patience) {
    state& s = *state_;
    asio::error_code failed;
    limit_wait(patience);
    const std::size_t count = co_await s.socket.async_read_some(
        asio::buffer(s.ciphertext), asio::redirect_error(asio::use_awaitable, failed));
    end_wait();
    if (failed)
      s.engine.receive_eof();
    else
      s.engine.receive({s.ciphertext.data(), count});
  }

  // Cancels what the socket waits for when the time is over.
  void limit_wait(std::optional<std::chrono::milliseconds> patience) {
    const std::uint64_t number = ++state_->waits;
    if (!patience) return;
    state_->timer.expires_after(*patience);
    state_->timer.async_wait([number, weak = std::weak_ptr(state_)](asio::error_code cancelled) {
      const auto there = weak.lock();
      if (!cancelled && there && there->waits == number) there->socket.cancel();
    });
  }
  void end_wait() {
    ++state_->waits;
    state_->timer.cancel();
  }

  std::shared_ptr<state> state_;  // the timer looks whether it is still there
};

/// How a message that was offered ended: a verdict, or a refusal before its body.
using delivery_end = std::variant<delivery::delivery_complete, delivery::offer_declined>;

/// Delivers one message to the host of the link; `header` names only that host's private lines
/// (header_block::for_host). The link may deliver the next one afterwards. Errors: those of
/// asio_link::next(), and fault::unknown where the connection ended before the verdict, which is
/// safe to repeat.
inline asio::awaitable<result<delivery_end>> deliver(asio_link<delivery::client>& link,
                                                     const header_block& header,
                                                     body_source& body) {
  if (auto good = link.session().offer(header); !good) co_return std::move(good).error();
  for (;;) {
    auto event = co_await link.next();
    if (!event) co_return std::move(event).error();
    if (auto* end = std::get_if<delivery::delivery_complete>(&*event))
      co_return delivery_end(std::move(*end));
    if (auto* no = std::get_if<delivery::offer_declined>(&*event))
      co_return delivery_end(std::move(*no));
    if (auto* over = std::get_if<delivery::client_closed>(&*event))
      co_return over->problem.value_or(
          error{fault::temporary, "connection", "", "the server closed"});
    if (!std::holds_alternative<delivery::offer_accepted>(*event)) continue;
    if (auto good = link.session().data(); !good) co_return std::move(good).error();
    if (auto good = co_await link.send_body(header, body); !good) co_return std::move(good).error();
  }
}

/// Collects the answer of the request that was made first and is not answered yet: gives every
/// event to `take` until its `reply::done`, which it returns. The greeting, changes of watched
/// folders and the acceptance of a body come there, too: on `reply::accepted` the caller's next
/// step is asio_link::send_body(), so APPEND and SEND are driven by next(). What the views of an
/// event refer to lives until `take` returns; an error of it ends the waiting. Errors also: those
/// of asio_link::next(); a refusal is in `reply::done::failed`.
inline asio::awaitable<result<retrieval::reply::done>> answer(
    asio_link<retrieval::client>& link,
    std::function<result<void>(retrieval::client_event& event)> take) {
  for (;;) {
    auto event = co_await link.next();
    if (!event) co_return std::move(event).error();
    if (auto* end = std::get_if<retrieval::reply::done>(&*event)) co_return std::move(*end);
    if (std::holds_alternative<retrieval::reply::closed>(*event))
      co_return error{fault::temporary, "connection", "", "the post office closed"};
    if (auto good = take(*event); !good) co_return std::move(good).error();
  }
}

}  // namespace ima::net
