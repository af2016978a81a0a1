#include "net/delivery_link.hpp"

#include "domains.hpp"
#include "receiver.hpp"
#include "scripted_server.hpp"

#include <ima/header.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>

using namespace ima;
using namespace net_test;
using namespace std::chrono_literals;

namespace {

using steady = std::chrono::steady_clock;
using system_clock = std::chrono::system_clock;

// A sender's means, with a clock of the test's.
struct sending {
  template <class Server>
  explicit sending(const Server& to) : hosts{{"b.example", to.address()}} {
    means.now = [this] { return now; };
  }
  // Opens a link, and says whether it is of use before and after so long.
  std::pair<bool, bool> usable_after(system_clock::duration later) {
    std::pair<bool, bool> found{false, true};
    const auto link = std::make_shared<net::delivery_link>(means, "b.example", "a.example");
    const auto look = [&]() -> net::awaitable<void> {
      const auto open = co_await link->open(steady::now() + 60s);
      CHECK(open);
      found.first = link->usable();
      now += later;
      found.second = link->usable();
      co_await link->close();
    };
    run(look());
    return found;
  }
  // Offers a message when the server has gone again.
  net::exchange offer_too_late(const header_block& header) {
    net::exchange about;
    const auto link = std::make_shared<net::delivery_link>(means, "b.example", "a.example");
    const auto offer = [&]() -> net::awaitable<void> {
      const auto open = co_await link->open(steady::now() + 60s);
      CHECK(open);
      while (link->usable()) co_await asio::steady_timer(loop, 10ms).async_wait(net::as_result);
      co_await link->offer(header, about, steady::now() + 60s);
    };
    run(offer());
    return about;
  }
  void run(net::awaitable<void> work) {
    asio::co_spawn(loop, std::move(work), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
    loop.run();
  }

  asio::io_context loop{1};
  asio::thread_pool workers{1};
  net::resolver dns = net::resolver::create(loop, {}).value();
  std::map<std::string, std::string, std::less<>> hosts;
  system_clock::time_point now = system_clock::now();
  net::sending_means means{loop, dns, workers, imdp("a.example"), hosts, {}};
};

}  // namespace

TEST_CASE("a connection is of use for the next message as long as both certificates are good") {
  receiver b("b.example");
  CHECK(sending(b).usable_after(1s) == std::pair(true, true));
  CHECK(sending(b).usable_after(24h * 3650) == std::pair(true, false));
}

TEST_CASE("a connection past its age is of no use for the next message") {
  receiver b("b.example");
  sending s(b);
  s.means.bounds.connection = 0ms;
  CHECK_FALSE(s.usable_after(0s).second);
}

// A server that is done with writes where the sender has closed is reset, and does not read what
// the sender said last.
TEST_CASE("a sender that has nothing more to say reads on until the server closes") {
  std::atomic<bool> done = false;
  const scripted_server b(imdp("b.example"), [&](peer& p) -> net::awaitable<void> {
    p.say("IMDP 1 b.example max-size=1000\n");
    co_await p.hear("DONE\n");
    co_await p.pause(50ms);
    done = true;
    p.say("CLOSE bye\n");
  });
  CHECK(sending(b).usable_after(0s) == std::pair(true, true));
  CHECK(done);
}

TEST_CASE("a server that does not close is waited for for a moment only") {
  const scripted_server b(imdp("b.example"), [&](peer& p) -> net::awaitable<void> {
    p.say("IMDP 1 b.example max-size=1000\n");
    co_await p.pause(1h);
  });
  CHECK(sending(b).usable_after(0s) == std::pair(true, true));
}

TEST_CASE("a message that is offered to a server that has gone is over, and was not delivered") {
  header_builder builder;
  builder.field("from", "alice@a.example").field("to", "bob@b.example");
  const header_block header = builder.build().value();
  for (const std::string_view last_words : {"", "CLOSE bye\n"}) {
    const scripted_server b(imdp("b.example"), [&](peer& p) -> net::awaitable<void> {
      p.say("IMDP 1 b.example max-size=1000\n");
      p.say(last_words);
      co_return;
    });
    const auto about = sending(b).offer_too_late(header);
    CHECK(about.over);
    REQUIRE(about.problem);
    CHECK(about.problem->kind == fault::temporary);
  }
}
