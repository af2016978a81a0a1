#include "domains.hpp"
#include "receiver.hpp"
#include "scripted_server.hpp"

#include <ima/net/sender.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace ima;
using namespace net_test;
using namespace std::chrono_literals;
using outcome = net::send_report::outcome;

namespace {

// A message of one part, with the part's octets.
struct letter : body_source {
  std::string text;
  header_block header;

  explicit letter(const std::vector<std::string>& to, std::string t = "hello",
                  const std::string& from = "alice@a.example")
      : text(std::move(t)), header(make(to, text, from)) {}

  static header_block make(const std::vector<std::string>& to, const std::string& text,
                           const std::string& from) {
    header_builder builder;
    builder.field("from", from);
    for (const std::string& one : to) builder.field("to", one);
    part_description part;
    part.size = text.size();
    part.sha256 = digest::of(text);
    return builder.part(part).build().value();
  }
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    text.copy(buffer, size, static_cast<std::size_t>(offset));
    return {};
  }
};

std::string port_of_nobody() {
  asio::io_context loop;
  const auto taken = net::listen_on(loop, "127.0.0.1:0").value();
  return net::text_of(taken.local_endpoint());
}

// Deadlines that a test can wait for.
net::sender_options impatient() {
  net::sender_options options;
  options.bounds.body_grace = 300ms;
  options.bounds.body_rate = 100'000'000;
  options.bounds.verdict = 400ms;
  options.bounds.handshake = 2s;
  return options;
}

net::send_report send(letter& l, const net::sender_options& options) {
  auto report = net::send_message(l.header, l, imdp("a.example"), options);
  if (!report) FAIL(report.error().message());
  return *report;
}

constexpr std::string_view greeting = "IMDP 1 b.example max-size=100000000\n";

// What became of a message for one host that plays a script.
net::host_report play(letter& l, const scripted_server::script& script,
                      net::sender_options options = impatient()) {
  const scripted_server server(imdp("b.example"), script);
  options.hosts["b.example"] = server.address();
  return send(l, options).hosts.at(0);
}

class listener : public net::send_observer {
 public:
  std::vector<std::string> heard;
  result<void> permission;

  void answered(std::string_view host, std::string_view problem) override {
    heard.push_back(std::string(host) + (problem.empty() ? " accepts" : " objects"));
  }
  void recipient(std::string_view, const delivery::recipient_result& r) override {
    heard.push_back(std::string(to_string(r.what)) + " " + std::string(r.recipient.text()));
  }
  void note(std::string_view, std::string_view text) override { heard.emplace_back(text); }
  void finished(const net::host_report& host) override { heard.push_back(host.host + " finished"); }
  result<void> before_bodies(const std::vector<net::host_report>&) override {
    heard.emplace_back("bodies");
    return permission;
  }
};

}  // namespace

TEST_CASE("a message goes to every host when all accept") {
  receiver b("b.example");
  receiver c("c.example");
  letter l({"bob@b.example", "carol@c.example", "cy@c.example"}, std::string(700'000, 'x'));
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  const auto report = send(l, options);
  CHECK(report.what == outcome::delivered);
  CHECK(report.hosts.at(1).results.size() == 2);
  b.stop();
  c.stop();
  CHECK(b.handler.finished == 1);
  CHECK(c.handler.finished == 1);
  CHECK(c.handler.octets == 700'000);
}

TEST_CASE("a refusal at one host withdraws the message at all others") {
  receiver b("b.example");
  receiver c("c.example");
  c.handler.answer.what = delivery::header_answer::kind::reject;
  letter l({"bob@b.example", "carol@c.example"});
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  for (const auto policy : {net::send_policy::all_or_none, net::send_policy::send_the_rest}) {
    options.policy = policy;
    const auto report = send(l, options);
    CHECK(report.what == outcome::refused);
    CHECK(report.hosts.at(0).withdrawn);
    CHECK(report.hosts.at(0).results.at(0).what == delivery::outcome::fail);
    CHECK(report.hosts.at(1).problem == "REJECT policy");
  }
  b.stop();
  c.stop();
  CHECK(b.handler.dropped == 2);
  CHECK(b.handler.finished + c.handler.finished == 0);
}

TEST_CASE("a recipient who does not exist withdraws the message at all other hosts") {
  receiver b("b.example");
  receiver c("c.example");
  c.handler.answer = {delivery::header_answer::kind::reject,
                      delivery::reason::recipients,
                      "",
                      {},
                      {address::parse("carol@c.example").value()},
                      {}};
  letter l({"bob@b.example", "carol@c.example"});
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  const auto report = send(l, options);
  CHECK(report.what == outcome::refused);
  CHECK(report.hosts.at(1).results.at(0).what == delivery::outcome::no_recipient);
  b.stop();
  CHECK(b.handler.finished == 0);
}

TEST_CASE("a deferral at one host withdraws the message unless the rest is to be sent") {
  receiver b("b.example");
  receiver c("c.example");
  c.handler.answer = {
      delivery::header_answer::kind::defer, delivery::reason::busy, "later", {}, {}, {}};
  letter l({"bob@b.example", "carol@c.example"});
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  const auto none = send(l, options);
  CHECK(none.what == outcome::deferred);
  CHECK(none.hosts.at(0).results.at(0).what == delivery::outcome::defer);
  options.policy = net::send_policy::send_the_rest;
  const auto rest = send(l, options);
  CHECK(rest.what == outcome::mixed);
  CHECK(rest.hosts.at(1).problem == "DEFER busy later");
  b.stop();
  CHECK(b.handler.dropped == 1);
  CHECK(b.handler.finished == 1);
}

TEST_CASE("a host that cannot be reached keeps the message from the others, for now") {
  receiver b("b.example");
  letter l({"bob@b.example", "carol@c.example"});
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", port_of_nobody()}};
  const auto report = send(l, options);
  CHECK(report.what == outcome::deferred);
  CHECK_FALSE(report.hosts.at(1).permanent);
  b.stop();
  CHECK(b.handler.finished == 0);
}

TEST_CASE("the header round ends in time for a host that accepts and one that says nothing") {
  receiver b("b.example");
  const scripted_server c(imdp("c.example"), [](peer& p) -> net::awaitable<void> {
    while (co_await p.more()) continue;
  });
  letter l({"bob@b.example", "carol@c.example"});
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  options.header_round = 2s;  // time enough to accept
  const auto report = send(l, options);
  CHECK(report.what == outcome::deferred);
  CHECK(report.hosts.at(1).problem.find("[timeout]") != std::string::npos);
  CHECK(report.hosts.at(0).withdrawn);
}

TEST_CASE("a host that takes the connection and does not speak TLS is given up in time") {
  asio::io_context loop;
  const auto silent = net::listen_on(loop, "127.0.0.1:0").value();
  letter l({"bob@b.example"});
  net::sender_options options;
  options.hosts["b.example"] = net::text_of(silent.local_endpoint());
  options.bounds.handshake = 200ms;
  CHECK(send(l, options).what == outcome::deferred);
}

TEST_CASE("a host that accepts and goes away while others are asked counts as not accepting") {
  const scripted_server b(imdp("b.example"), [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\nDEFER lapsed too slow\n");
    while (co_await p.more()) continue;
  });
  std::promise<bool> cancelled;
  const scripted_server c(imdp("c.example"), [&](peer& p) -> net::awaitable<void> {
    p.say("IMDP 1 c.example max-size=1000\n");
    co_await p.hear("\n\n");
    co_await p.pause(300ms);
    p.say("ACCEPT\n");
    const bool heard = co_await p.hear("CANCEL\n");
    cancelled.set_value(heard);
  });
  letter l({"bob@b.example", "carol@c.example"});
  net::sender_options options;
  options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  const auto report = send(l, options);
  CHECK(report.what == outcome::deferred);
  CHECK(report.hosts.at(0).problem == "DEFER lapsed too slow");
  CHECK(report.hosts.at(1).withdrawn);
  CHECK(cancelled.get_future().get());
}

TEST_CASE("a connection lost after the body leaves the outcome unknown, one lost before does not") {
  letter l({"bob@b.example"});
  const auto after = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    co_await p.hear("hello");
    p.say("OK bob@b.example\n");
  });
  CHECK(after.unknown);
  CHECK_FALSE(after.permanent);
  CHECK(after.results.at(0).what == delivery::outcome::defer);
  const auto before = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
  });
  CHECK_FALSE(before.unknown);
  CHECK_FALSE(before.permanent);
}

TEST_CASE("a reply that breaks the protocol after the body leaves the outcome unknown") {
  letter l({"bob@b.example"});
  const auto report = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    co_await p.hear("hello");
    p.say("WHATEVER\n");
    while (co_await p.more()) continue;
  });
  CHECK(report.unknown);
  CHECK(report.problem.find("reply") != std::string::npos);
}

TEST_CASE("a server that closes with a reason inside the body is heard, and nothing is unknown") {
  letter l({"bob@b.example"}, std::string(20'000'000, 'x'));
  const auto report = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    co_await p.hear("xxx");
    p.say("CLOSE out of paper\n");  // and no octet more is read before the end
  });
  CHECK_FALSE(report.unknown);
  CHECK_FALSE(report.permanent);
  CHECK(report.problem.find("out of paper") != std::string::npos);
}

TEST_CASE("an offer that lapses inside the body ends the sending") {
  letter l({"bob@b.example"}, std::string(20'000'000, 'x'));
  const auto report = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    co_await p.hear("xxx");
    p.say("DEFER lapsed\n");
    co_await p.pause(5s);
  });
  CHECK(report.problem == "DEFER lapsed");
}

TEST_CASE("a server that stops reading is given up, whatever it says meanwhile") {
  letter l({"bob@b.example"}, std::string(20'000'000, 'x'));
  const auto report = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    for (int i = 0; i < 60; ++i) {
      p.say("NOTE still here\n");
      co_await p.pause(50ms);
    }
  });
  CHECK_FALSE(report.unknown);
  CAPTURE(report.problem);
  CHECK(report.problem.find("[timeout]") != std::string::npos);
}

TEST_CASE("a server that takes a body at the lowest rate is given up in time") {
  letter l({"bob@b.example"}, std::string(20'000'000, 'x'));
  auto options = impatient();
  options.bounds.body_grace = 60s;
  options.bounds.body_rate = 1;
  options.bounds.connection = 300ms;
  const auto host = play(
      l,
      [](peer& p) -> net::awaitable<void> {
        p.say(greeting);
        if (!co_await p.hear("\n\n")) co_return;
        p.say("ACCEPT\n");
        for (int i = 0; i < 600; ++i) {
          co_await p.pause(50ms);
          if (!co_await p.more()) co_return;
        }
      },
      options);
  CHECK_FALSE(host.unknown);
  CHECK(host.results.at(0).what == delivery::outcome::defer);
  CHECK(host.problem.find("[timeout]") != std::string::npos);
}

TEST_CASE("a server that talks without end while it is written to is cut off") {
  letter l({"bob@b.example"}, std::string(20'000'000, 'x'));
  net::sender_options options = impatient();
  options.bounds.body_grace = options.bounds.verdict = 60s;
  const auto report = play(
      l,
      [](peer& p) -> net::awaitable<void> {
        p.say(greeting);
        co_await p.hear("\n\n");
        p.say("ACCEPT\n");
        std::string much;
        for (int i = 0; i < 500; ++i) much += "NOTE and another thing\n";
        bool there = true;
        while (there) {
          p.say(much);
          there = co_await p.more();
        }
      },
      options);
  CHECK(report.problem.find("[reply-flood]") != std::string::npos);
  CHECK(report.results.at(0).what == delivery::outcome::defer);
  REQUIRE(report.notes.size() == 100);
  CHECK(report.notes.at(98) == "and another thing");
  CHECK(report.notes.at(99) == "more was said and is left out");
}

TEST_CASE("all hosts are asked before any of them has to answer") {
  std::atomic<int> asked = 0;
  const auto answer_last = [&](const std::string& name) {
    return [&asked, name](peer& p) -> net::awaitable<void> {
      p.say("IMDP 1 " + name + " max-size=1000\n");
      co_await p.hear("\n\n");
      ++asked;
      while (asked < 5) co_await p.pause(5ms);
      p.say("ACCEPT\n");
      co_await p.hear("hello");
      p.say("OK\n");
      co_await p.hear("DONE");
    };
  };
  std::vector<std::unique_ptr<scripted_server>> servers;
  net::sender_options options;
  std::vector<std::string> to;
  for (const char* letter_of : {"a", "b", "c", "d", "e"}) {
    const std::string name = std::string(letter_of) + ".example";
    servers.push_back(std::make_unique<scripted_server>(imdp(name), answer_last(name)));
    options.hosts[name] = servers.back()->address();
    to.push_back("bob@" + name);
  }
  options.header_round = 20s;
  letter l(to);
  const auto report = send(l, options);
  CHECK(report.what == outcome::delivered);
  asked = 5;
}

TEST_CASE("remarks do not prolong the wait for a verdict") {
  letter l({"bob@b.example"});
  const auto report = play(l, [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    co_await p.hear("hello");
    for (int i = 0; i < 60; ++i) {
      p.say("NOTE still here\n");
      co_await p.pause(50ms);
    }
    p.say("OK\n");
  });
  CHECK(report.unknown);
  CHECK(report.problem.find("took too long") != std::string::npos);
}

TEST_CASE("a sending that is interrupted ends at once, and the outcome is unknown") {
  asio::io_context loop;
  const auto silent = net::listen_on(loop, "127.0.0.1:0").value();
  const scripted_server busy(imdp("b.example"), [](peer& p) -> net::awaitable<void> {
    p.say(greeting);
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    while (co_await p.more()) continue;
  });
  for (const std::string& where : {net::text_of(silent.local_endpoint()), busy.address()}) {
    letter l({"bob@b.example"});
    net::sender_options options;
    options.hosts = {{"b.example", where}};
    options.bounds.handshake = options.bounds.verdict = 1h;
    int asked = 0;
    options.interrupted = [&] { return ++asked == 3; };
    const auto report = net::send_message(l.header, l, imdp("a.example"), options);
    REQUIRE_FALSE(report);
    CHECK(report.error().kind == fault::unknown);
    CHECK(report.error().rule == "interrupted");
    options.interrupted = []() -> bool { throw std::runtime_error("enough"); };
    CHECK_THROWS_WITH((void)net::send_message(l.header, l, imdp("a.example"), options), "enough");
  }
}

TEST_CASE("a server that proves another domain gets nothing, and the problem is for now") {
  letter l({"bob@b.example"});
  receiver c("c.example");
  net::sender_options options;
  options.hosts["b.example"] = c.address();
  const auto report = send(l, options);
  CHECK(report.what == outcome::deferred);
  c.stop();
  CHECK(c.handler.judged == 0);
}

TEST_CASE("a message that all have already is delivered without its body") {
  receiver b("b.example");
  b.handler.answer = {delivery::header_answer::kind::verdict,
                      delivery::reason::policy,
                      "",
                      {address::parse("bob@b.example").value()},
                      {},
                      delivery::verdict::ok};
  letter l({"bob@b.example"});
  net::sender_options options;
  options.hosts["b.example"] = b.address();
  CHECK(send(l, options).what == outcome::delivered);
  b.stop();
  CHECK(b.handler.finished == 0);
}

TEST_CASE("an observer hears what happens as it happens, and may stop it before the bodies") {
  receiver b("b.example");
  letter l({"bob@b.example"});
  listener watcher;
  net::sender_options options;
  options.hosts["b.example"] = b.address();
  options.observer = &watcher;
  CHECK(send(l, options).what == outcome::delivered);
  CHECK(watcher.heard ==
        std::vector<std::string>{"b.example accepts", "bodies", "b.example finished"});
  watcher.heard.clear();
  watcher.permission = error{fault::temporary, "storage", "", "the disk is full"};
  CHECK(send(l, options).what == outcome::deferred);
  CHECK(watcher.heard.at(1) == "bodies");
  b.stop();
  CHECK(b.handler.finished == 1);
  CHECK(b.handler.dropped == 1);
}

TEST_CASE("a certificate of ours that is missing or out of date is said before anyone is asked") {
  letter stranger({"bob@b.example"}, "x", "eve@e.example");
  letter old({"bob@b.example"}, "x", "alice@old.example");
  const net::sender_options options;
  CHECK(net::send_message(stranger.header, stranger, imdp("a.example"), options).error().rule ==
        "no-certificate");
  CHECK(net::send_message(old.header, old, imdp("expired"), options).error().rule ==
        "certificate-expired");
}

TEST_CASE("a body that cannot be read ends that host's connection, and nothing is delivered") {
  struct broken : letter {
    using letter::letter;
    result<void> read_at(std::uint64_t, char*, std::size_t) override {
      return error{fault::temporary, "storage", "", "unreadable"};
    }
  };
  receiver b("b.example");
  broken l({"bob@b.example"});
  net::sender_options options;
  options.hosts["b.example"] = b.address();
  const auto report = send(l, options);
  CHECK(report.what == outcome::deferred);
  CHECK(report.hosts.at(0).problem.find("unreadable") != std::string::npos);
  b.stop();
  CHECK(b.handler.finished == 0);
}
