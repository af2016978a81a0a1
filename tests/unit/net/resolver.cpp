#include "net/resolver.hpp"

#include "domains.hpp"
#include "name_server.hpp"
#include "net/dial.hpp"
#include "net/listen.hpp"
#include "receiver.hpp"

#include <ima/net/sender.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace ima;
using namespace ima::net;
using namespace net_test;
using namespace std::chrono_literals;

namespace {

const name_server& the_names() {
  static const name_server made({
      "--srv-host=_imdp._tcp.b.example,two.b.example,2002,20,0",
      "--srv-host=_imdp._tcp.b.example,one.b.example,2001,10,5",
      "--srv-host=_imdp._tcp.none.example",
      "--srv-host=_imdp._tcp.lost.example,nowhere.example,20025,0,0",
      "--srv-host=_imdp._tcp.bare.example,bare.example,20025,0,0",
      "--host-record=one.b.example,192.0.2.1,2001:db8::1",
      "--host-record=two.b.example,192.0.2.2",
      "--host-record=plain.example,127.0.0.1",
      "--txt-record=empty.example,nothing else",
  });
  return made;
}

dns_options options_for(const std::string& server) {
  dns_options options;
  options.servers = {server};
  options.timeout = 200ms;
  options.total = 2s;
  return options;
}

// Runs one question to its end.
template <class Ask>
auto ask(Ask question, const std::string& server = the_names().address()) {
  asio::io_context loop(1);
  auto dns = resolver::create(loop, options_for(server)).value();
  using answer = typename decltype(question(dns, {}))::value_type;
  std::optional<answer> out;
  asio::co_spawn(
      loop,
      [&]() -> awaitable<void> {
        out.emplace(co_await question(dns, std::chrono::steady_clock::now() + 2s));
      },
      [](const std::exception_ptr& thrown) {
        if (thrown) std::rethrow_exception(thrown);
      });
  loop.run();
  return std::move(*out);
}

using until = std::chrono::steady_clock::time_point;

auto services_of(const std::string& name) {
  return ask([&](resolver& dns, until u) { return dns.services("_imdp._tcp." + name, u); });
}

auto addresses_of(const std::string& name) {
  return ask([&](resolver& dns, until u) { return dns.addresses(name, 20025, u); });
}

auto dial_to(const std::string& host, const std::string& server = the_names().address()) {
  return ask(
      [&](resolver& dns, until u) {
        return dial(dns, {host, "_imdp._tcp", 20025, nullptr}, limits{}, u,
                    [](tcp::socket) -> awaitable<result<void>> { co_return result<void>(); });
      },
      server);
}

}  // namespace

TEST_CASE("service records are found with all they say") {
  auto records = services_of("b.example");
  REQUIRE(records);
  std::sort(records->begin(), records->end(),
            [](const auto& a, const auto& b) { return a.port < b.port; });
  REQUIRE(records->size() == 2);
  CHECK(records->at(0).target == "one.b.example");
  CHECK(records->at(0).port == 2001);
  CHECK(records->at(0).priority == 10);
  CHECK(records->at(0).weight == 5);
  CHECK(says_no_service(services_of("none.example").value()));
}

TEST_CASE("a name without service records and a name that does not exist both have none") {
  CHECK(services_of("plain.example").value().empty());
  CHECK(services_of("nothing.example").value().empty());
}

TEST_CASE("addresses of both families are found") {
  const auto found = addresses_of("one.b.example").value();
  std::set<std::string> texts;
  for (const auto& e : found) texts.insert(e.address().to_string());
  CHECK(texts == std::set<std::string>{"192.0.2.1", "2001:db8::1"});
  CHECK(found.at(0).port() == 20025);
}

TEST_CASE("a name without addresses is refused for good, a server that cannot say is not") {
  CHECK(addresses_of("nothing.example").error().rule == "no-domain");
  CHECK(addresses_of("empty.example").error().kind == fault::refused);
  const auto refused = addresses_of("b.test");  // the name server will not answer for it
  CHECK(refused.error().rule == "dns");
  CHECK(refused.error().kind == fault::temporary);
}

TEST_CASE("a name server that is not there costs a bounded time and is a problem for now") {
  asio::io_context loop;
  const asio::ip::udp::socket deaf(loop, {asio::ip::address_v4::loopback(), 0});
  const auto silent = "127.0.0.1:" + std::to_string(deaf.local_endpoint().port());
  for (const std::string& server : {silent, std::string("127.0.0.1:1")}) {
    const auto outcome = dial_to("b.example", server);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().rule == "dns");
    CHECK(outcome.error().kind == fault::temporary);
  }
}

TEST_CASE("a domain can say that it takes no mail") {
  const auto outcome = dial_to("none.example");
  CHECK(outcome.error().rule == "no-service");
  CHECK(outcome.error().kind == fault::refused);
  CHECK(dial_to("nothing.example").error().kind == fault::refused);
}

TEST_CASE("records that point at a name without addresses are a problem for now") {
  CHECK(dial_to("lost.example").error().kind == fault::temporary);
  const auto itself = dial_to("bare.example");  // has no address just now
  CHECK(itself.error().rule == "no-domain");
  CHECK(itself.error().kind == fault::temporary);
}

TEST_CASE("a setting that points at a name without addresses is a problem for now") {
  const std::map<std::string, std::string, std::less<>> hosts{{"set.example", "set.example"}};
  const auto found = ask([&](resolver& dns, until u) {
    return find_endpoints(dns, {"set.example", "_imdp._tcp", 20025, &hosts}, u);
  });
  CHECK(found.error().kind == fault::temporary);
}

TEST_CASE("a server setting that is no address is the caller's fault") {
  asio::io_context loop;
  dns_options options;
  options.servers = {"127.0.0.1:53", "nonsense"};
  CHECK(resolver::create(loop, options).error().rule == "dns-server");
}

TEST_CASE("a message finds its host by service records, the next where the first is away") {
  receiver b("b.example");
  const std::string port = b.address().substr(b.address().find(':') + 1);
  const name_server names({"--srv-host=_imdp._tcp.b.example,away.example,1,0,0",
                           "--srv-host=_imdp._tcp.b.example,missing.example,1,5,0",
                           "--srv-host=_imdp._tcp.b.example,here.example," + port + ",10,0",
                           "--host-record=away.example,127.0.0.1",
                           "--host-record=here.example,127.0.0.1,::1"});
  struct empty : body_source {
    result<void> read_at(std::uint64_t, char*, std::size_t) override { return {}; }
  } body;
  header_builder builder;
  builder.field("from", "alice@a.example").field("to", "bob@b.example");
  sender_options options;
  options.dns = options_for(names.address());
  const auto report = send_message(builder.build().value(), body, imdp("a.example"), options);
  REQUIRE(report);
  CHECK(report->what == send_report::outcome::delivered);
  b.stop();
  CHECK(b.handler.finished == 1);
}
