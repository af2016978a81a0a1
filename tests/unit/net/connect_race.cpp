#include "net/connect_race.hpp"

#include "net/listen.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace ima;
using namespace ima::net;
using namespace std::chrono_literals;

namespace {

tcp::endpoint at(const std::string& address, std::uint16_t port) {
  return {asio::ip::make_address(address), port};
}

result<tcp::socket> race(asio::io_context& loop, std::vector<tcp::endpoint> endpoints,
                         std::chrono::milliseconds patience) {
  std::optional<result<tcp::socket>> out;
  asio::co_spawn(
      loop,
      [&]() -> awaitable<void> {
        out.emplace(co_await connect_race(endpoints, std::chrono::steady_clock::now() + patience));
      },
      asio::detached);
  loop.run();
  return std::move(*out);
}

// Its queue is full, so it answers nobody.
struct silent_listener {
  asio::io_context loop;
  tcp::acceptor full;
  tcp::endpoint there;
  std::vector<tcp::socket> waiting;

  explicit silent_listener(const std::string& where)
      : full(listen_on(loop, where).value()), there(full.local_endpoint()) {
    full.listen(0);
    waiting.reserve(8);
    for (int i = 0; i < 8; ++i)
      waiting.emplace_back(loop).async_connect(there, [](asio::error_code) {});
  }
};

}  // namespace

TEST_CASE("addresses of both families take turns") {
  const auto four1 = at("192.0.2.1", 1);
  const auto four2 = at("192.0.2.2", 1);
  const auto six1 = at("2001:db8::1", 1);
  CHECK(interleaved({four1, four2, six1}) == std::vector{six1, four1, four2});
  CHECK(interleaved({}).empty());
}

TEST_CASE("an address that refuses gives way to the next at once, one that is silent in a moment") {
  asio::io_context loop;
  auto open = listen_on(loop, "127.0.0.1:0").value();
  const auto there = open.local_endpoint();
  // Nobody listens at the first; what is sent to the second, TEST-NET-1, is lost or refused.
  const std::vector endpoints{at("::1", 1), at("192.0.2.1", 9), there};
  const auto socket = race(loop, endpoints, 5s);
  if (!socket) FAIL(socket.error().message());
  CHECK(socket->remote_endpoint() == there);
}

TEST_CASE("a race without a winner says why") {
  asio::io_context loop;
  CHECK(race(loop, {}, 1s).error().rule == "connection");
  loop.restart();
  const auto refused = race(loop, {at("127.0.0.1", 1)}, 1s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().place == "127.0.0.1:1");
  CHECK(refused.error().text == "Connection refused");
}

TEST_CASE("a race ends in time when nobody answers") {
  const silent_listener silent("127.0.0.1:0");
  asio::io_context loop;
  const auto outcome = race(loop, {silent.there}, 200ms);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().rule == "timeout");
}

TEST_CASE("an address that is silent gives way to one that answers, of either family") {
  const silent_listener silent("127.0.0.2:0");
  for (const char* where : {"127.0.0.1:0", "[::1]:0"}) {
    asio::io_context loop;
    const auto open = listen_on(loop, where);
    if (!open && where[0] == '[') {
      MESSAGE("this machine has no IPv6");
      continue;
    }
    const auto socket = race(loop, {silent.there, open->local_endpoint()}, 20s);
    if (!socket) FAIL(socket.error().message());
    CHECK(socket->remote_endpoint() == open->local_endpoint());
  }
}
