#include "../retrieval/memory_mail.hpp"
#include "authority.hpp"
#include "net/endpoint.hpp"
#include "net/listen.hpp"

#include <ima/net/retrieval_client.hpp>
#include <ima/net/retrieval_server.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace ima;
using namespace ima::retrieval;

namespace {

struct test_authority : test::authority {
  test_authority() {
    issue_domain("b.example");
    issue("bob", "/CN=bob.example", "subjectAltName=DNS:bob\nextendedKeyUsage=clientAuth");
  }
};

const test_authority& the_authority() {
  static const test_authority made;
  return made;
}

tls::context context_of(const std::vector<std::string>& names) {
  tls::context_options options;
  options.inside = tls::protocol::imrp;
  options.system_store = false;
  options.ca_file = the_authority().ca_file();
  for (const std::string& name : names)
    options.credentials.push_back(
        {the_authority().path(name + ".pem"), the_authority().path(name + ".key")});
  return tls::context::create(options).value();
}

// A post office on a free loopback port, run on a thread of its own.
struct office {
  memory_mail::store store;
  memory_mail::users users{store};
  net::retrieval_server server;
  std::thread thread;

  explicit office(limits bounds = {}, service::proof_limits proofs = {})
      : server(make(users, bounds, proofs)), thread([this] { server.run(); }) {}
  office(const office&) = delete;
  office& operator=(const office&) = delete;
  ~office() {
    server.stop();
    thread.join();
  }

  static net::retrieval_server make(authenticator& users, const limits& bounds,
                                    const service::proof_limits& proofs) {
    net::retrieval_server_options options;
    options.proofs = proofs;
    options.bounds = bounds;
    options.listen = {"127.0.0.1:0"};
    options.trust_issued_names = true;
    return net::retrieval_server::create(options, context_of({"b.example"}), users).value();
  }

  result<net::retrieval_client> connect(const std::string& host = "b.example",
                                        const std::string& certificate = "") {
    net::retrieval_client_options options;
    options.host = host;
    options.hosts[host] = server.addresses().at(0);
    options.certificate_name = certificate;
    return net::retrieval_client::connect(
        options, context_of(certificate.empty() ? std::vector<std::string>{}
                                                : std::vector<std::string>{certificate}));
  }
};

}  // namespace

TEST_CASE("what was set up for the other protocol is refused before anything is sent") {
  tls::context_options options;
  options.system_store = false;
  options.ca_file = the_authority().ca_file();
  const auto for_imdp = tls::context::create(options).value();
  net::retrieval_client_options where;
  where.host = "b.example";
  const auto client = net::retrieval_client::connect(where, for_imdp);
  REQUIRE_FALSE(client);
  CHECK(client.error().rule == "tls-protocol");
  CHECK(client.error().text == "the TLS context is for IMDP, and this is IMRP");
  memory_mail::store store;
  memory_mail::users users{store};
  const auto server = net::retrieval_server::create({}, for_imdp, users);
  REQUIRE_FALSE(server);
  CHECK(server.error().rule == "tls-protocol");
}

TEST_CASE("a post office that may have no connections is not made, nor becomes one later") {
  memory_mail::store store;
  memory_mail::users users{store};
  net::retrieval_server_options options;
  options.connections = 0;
  const auto made = net::retrieval_server::create(options, context_of({"b.example"}), users);
  REQUIRE_FALSE(made);
  CHECK(made.error().rule == "connections");
  office o;
  CHECK(o.server.use({}, 0, 100).error().rule == "connections");
  CHECK(o.server.use({}, 1000, 0).error().rule == "connections");
  CHECK(o.connect());
}

TEST_CASE("a connection ends at its age, between requests, also while a watch is on") {
  limits bounds;
  bounds.connection = std::chrono::milliseconds(200);
  office o(bounds);
  auto asking = o.connect().value();
  auto watching = o.connect().value();
  REQUIRE(asking.authenticate("bob", "swordfish"));
  REQUIRE(watching.authenticate("bob", "swordfish"));
  REQUIRE(watching.watch(std::vector<watched_folder>{{"inbox", "0"}}));
  CHECK(watching.wait_for_change(std::chrono::minutes(1)).error().rule == "connection");
  auto status = asking.status("inbox");
  while (status) status = asking.status("inbox");
  const std::string rule(status.error().rule);
  CHECK((rule == "shutdown" || rule == "connection" || rule == "connection-lost"));
}

TEST_CASE("a user proves himself and reads his mail over TLS") {
  office o;
  const std::string large(3'000'000, 'x');
  o.store.inbox["a"] = {"ima: 1\n\n", {"hello", large}, {"seen"}, 1};
  o.store.inbox["b"] = {"ima: 1\n\n", {}, {}, 2};
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  CHECK(client->folders().value() == std::vector<folder_info>{{"inbox", "inbox"}});
  CHECK(client->status("inbox").value().messages == 2);
  CHECK(client->changes("inbox", first_token, 10).value().changes.size() == 2);

  std::vector<std::string> seen;
  const std::vector<std::string> ids{"a", "nothing", "b"};
  REQUIRE(client->headers("inbox", ids, [&](std::string_view id, octets block, octets record) {
    CHECK(block == "ima: 1\n\n");
    CHECK(record.starts_with("ima-record: 1\n"));
    seen.emplace_back(id);
    return result<void>();
  }));
  CHECK(seen == std::vector<std::string>{"a", "b"});

  std::string part;
  const auto take = [&](octets piece) {
    part += piece;
    return result<void>();
  };
  CHECK(client->fetch("inbox", "a", 2, take).value() == large.size());
  CHECK((part == large));
  part.clear();
  CHECK(client->fetch("inbox", "a", 1, take, 1, 3).value() == 3);
  CHECK(part == "ell");

  CHECK(client->remove("inbox", ids).value() ==
        std::vector{message_outcome::done, message_outcome::gone, message_outcome::done});
  CHECK(client->done());
}

TEST_CASE("a call names more messages than one request line has room for") {
  office o;
  std::vector<std::string> ids;
  for (int i = 0; i < 2500; ++i) {
    ids.push_back("m" + std::to_string(i) + "-" + std::string(100, 'x'));
    if (i % 2 == 0) o.store.inbox[ids.back()] = {"ima: 1\n\n", {}, {}, 1};
  }
  auto client = o.connect();
  REQUIRE(client->authenticate("bob", "swordfish"));

  std::vector<std::string> seen;
  REQUIRE(client->headers("inbox", ids, [&](std::string_view id, octets, octets) {
    seen.emplace_back(id);
    return result<void>();
  }));
  CHECK(seen.size() == 1250);

  const auto outcomes = client->remove("inbox", ids);
  REQUIRE(outcomes);
  REQUIRE(outcomes->size() == ids.size());
  bool right = true;
  for (std::size_t i = 0; i < ids.size(); ++i)
    right = right && ((*outcomes)[i] == message_outcome::gone) == (i % 2 != 0);
  CHECK(right);
  CHECK(o.store.inbox.empty());
  CHECK(client->remove("inbox", {}).error().rule == "id");
}

namespace {

// The parts of a message, one after the other.
class text_body : public body_source {
 public:
  explicit text_body(std::string text) : text_(std::move(text)) {}
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    octets_read += size;
    text_.copy(buffer, size, offset);
    return {};
  }
  std::uint64_t octets_read = 0;

 private:
  std::string text_;
};

header_block block_of(const std::vector<std::string>& parts,
                      std::string_view from = "bob@b.example") {
  header_builder builder;
  builder.field("from", from).field("to", "alice@a.example");
  for (const std::string& part : parts)
    builder.part({part.size(), digest::of(part), "text/plain", "", "", "", ""});
  return builder.build().value();
}

}  // namespace

TEST_CASE("a message is put into a folder, and a refused one never moves") {
  office o;
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  CHECK(client->offers(capability::append));
  CHECK_FALSE(client->offers(capability::search));
  const std::string large(3'000'000, 'x');
  const header_block header = block_of({"hello", "", large});
  text_body body("hello" + large);
  const auto id = client->append({"inbox", {"draft"}, {}}, header, body);
  REQUIRE(id);
  CHECK(o.store.inbox.at(*id).parts == std::vector<std::string>{"hello", "", large});
  CHECK(o.store.inbox.at(*id).flags == std::vector<std::string>{"draft"});

  text_body unread("hello" + large);
  CHECK(client->append({"x", {}, {}}, header, unread).error().rule == "no-folder");
  CHECK(unread.octets_read == 0);
  text_body wrong("Hello" + large);
  CHECK(client->append({"inbox", {}, {}}, header, wrong).error().rule == "damaged");
  text_body none("");
  CHECK(client->append({"inbox", {}, {}}, block_of({}), none));
  CHECK(client->quota().value().messages == 2);
}

TEST_CASE("a message is sent, its results come one by one, and what is there already stays there") {
  office o;
  const std::string photo(500'000, 'p');
  o.store.inbox["d"] = {std::string(block_of({photo}).text()), {photo}, {}, 1};
  o.store.outcomes = {
      {recipient_outcome::kind::queued, address::parse("alice@a.example").value(), "busy"}};
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  send_options options;
  options.save = "sent";
  options.parts = {{1, {"inbox", "d"}, 1}};
  text_body body(photo + "hello");
  std::vector<std::string> told;
  const net::retrieval_client::sending tell{
      [&](const recipient_outcome& r) { told.emplace_back(r.recipient.text()); },
      [&](std::string_view host, std::string_view text) {
        told.push_back(std::string(host) + ": " + std::string(text));
      }};
  const auto end = client->send(options, block_of({photo, "hello"}), body, tell);
  REQUIRE(end);
  CHECK(*end == send_end{send_verdict::delivered, "s1"});
  CHECK(told == std::vector<std::string>{"alice@a.example", "a.example: thank you"});
  CHECK(body.octets_read == 5);
  CHECK((o.store.sent == std::vector<std::string>{photo + "hello"}));
  text_body other("");
  CHECK(client->send({}, block_of({}, "eve@b.example"), other, tell).error().rule == "from");
}

TEST_CASE("a change is pushed to whoever watches, and requests go on in between") {
  office o;
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  const std::vector<watched_folder> folders{{"inbox", "1"}};
  REQUIRE(client->watch(folders));
  CHECK_FALSE(client->wait_for_change(std::chrono::milliseconds(1)).value());
  CHECK(client->status("inbox"));
  o.store.tell({"inbox", "2"});
  const auto first = client->wait_for_change(std::chrono::seconds(60));
  REQUIRE(first);
  CHECK(*first == watched_folder{"inbox", "2"});
  o.store.tell({"inbox", "3"});
  CHECK(client->status("inbox"));
  CHECK(client->wait_for_change(std::chrono::seconds(60)).value() == watched_folder{"inbox", "3"});
  CHECK(client->watch({}));
}

TEST_CASE("a user who is removed while he watches is let go at once") {
  office o;
  auto bob = o.connect();
  REQUIRE(bob);
  REQUIRE(bob->authenticate("bob", "swordfish"));
  REQUIRE(bob->watch(std::vector<watched_folder>{{"inbox", "0"}}));
  o.store.remove_user();
  CHECK_FALSE(bob->wait_for_change(std::chrono::minutes(1)));
  CHECK_FALSE(bob->folders());
}

TEST_CASE("a call that is interrupted ends at once, and the connection with it") {
  asio::io_context loop;
  const auto silent = net::listen_on(loop, "127.0.0.1:0").value();
  net::retrieval_client_options options;
  options.host = "b.example";
  options.bounds.handshake = options.bounds.line = std::chrono::hours(1);
  options.hosts = {{"b.example", net::text_of(silent.local_endpoint())}};
  options.interrupted = [] { return true; };
  CHECK(net::retrieval_client::connect(options, context_of({})).error().rule == "interrupted");

  office o({}, {.first_delay = std::chrono::hours(1)});
  bool now = false;
  options.hosts = {{"b.example", o.server.addresses().front()}};
  options.interrupted = [&] { return now; };
  auto client = net::retrieval_client::connect(options, context_of({}));
  REQUIRE(client);
  CHECK(client->authenticate("bob", "wrong").error().rule == "auth");
  now = true;
  const auto ended = client->authenticate("bob", "swordfish");  // it would wait for an hour
  REQUIRE_FALSE(ended);
  CHECK(ended.error().kind == fault::unknown);
  CHECK(ended.error().rule == "interrupted");
  CHECK(client->folders().error() == ended.error());
}

TEST_CASE("what a function of the caller's throws goes back to him and ends the connection") {
  office o;
  o.store.inbox["a"] = {"ima: 1\n\n", {"hello"}, {}, 1};
  auto client = o.connect().value();
  REQUIRE(client.authenticate("bob", "swordfish"));
  const std::vector<std::string> ids{"a"};
  const auto take = [](std::string_view, octets, octets) -> result<void> {
    throw std::runtime_error("not now");
  };
  CHECK_THROWS_AS((void)client.headers("inbox", ids, take), std::runtime_error);
  CHECK(client.folders().error().rule == "interrupted");

  net::retrieval_client_options options;
  options.host = "b.example";
  options.interrupted = []() -> bool { throw std::runtime_error("not now"); };
  // It is asked once a tenth of a second has passed, so something must take longer.
  asio::io_context loop;
  const auto silent = net::listen_on(loop, "127.0.0.1:0").value();
  options.hosts["b.example"] = net::text_of(silent.local_endpoint());
  CHECK_THROWS_AS((void)net::retrieval_client::connect(options, context_of({})),
                  std::runtime_error);
}

TEST_CASE("a refusal leaves the connection usable, a third wrong password does not") {
  office o;
  auto client = o.connect();
  REQUIRE(client);
  CHECK(client->folders().error().rule == "state");
  CHECK(client->authenticate("bob", "abc").error().rule == "auth");
  CHECK(client->authenticate("eve", "swordfish").error().kind == fault::refused);
  CHECK(client->authenticate("bob", "").error().rule == "auth");
  const auto after = client->authenticate("bob", "swordfish");
  REQUIRE_FALSE(after);
  CHECK(client->folders().error() == after.error());
}

TEST_CASE("after too many wrong passwords a proof of that name is not looked at, others are") {
  service::proof_limits proofs;
  proofs.first_delay = std::chrono::milliseconds(1);
  proofs.of_user = 2;
  office o({}, proofs);
  auto guesser = o.connect();
  REQUIRE(guesser);
  CHECK(guesser->authenticate("bob", "abc").error().rule == "auth");
  CHECK(guesser->authenticate("bob", "abd").error().rule == "auth");
  auto client = o.connect();
  REQUIRE(client);
  const auto busy = client->authenticate("bob", "swordfish");
  REQUIRE_FALSE(busy);
  CHECK(busy.error().rule == "busy");
  CHECK(busy.error().kind == fault::temporary);
  CHECK(client->authenticate("eve", "swordfish").error().rule == "auth");
}

TEST_CASE("a proof that follows one that failed waits its time") {
  service::proof_limits proofs;
  proofs.first_delay = std::chrono::milliseconds(300);
  office o({}, proofs);
  auto client = o.connect();
  REQUIRE(client);
  CHECK(client->authenticate("bob", "abc").error().rule == "auth");
  const auto began = std::chrono::steady_clock::now();
  CHECK(client->authenticate("bob", "swordfish"));
  CHECK(std::chrono::steady_clock::now() - began >= proofs.first_delay);
}

TEST_CASE("proofs that come together are counted like those that come one by one") {
  service::proof_limits proofs;
  proofs.first_delay = std::chrono::seconds(1);  // in which all of them arrive
  proofs.of_user = 3;
  office o({}, proofs);
  auto first = o.connect();
  REQUIRE(first);
  CHECK(first->authenticate("bob", "abc").error().rule == "auth");
  std::atomic<int> looked_at = 0;
  std::atomic<int> busy = 0;
  std::vector<std::thread> guessers;
  for (int i = 0; i < 10; ++i)
    guessers.emplace_back([&] {
      auto guesser = o.connect();
      const auto guessed = guesser->authenticate("bob", "abd");
      if (!guessed && guessed.error().rule == "auth") ++looked_at;
      if (!guessed && guessed.error().rule == "busy") ++busy;
    });
  for (std::thread& each : guessers) each.join();
  CHECK(looked_at + busy == 10);
  CHECK(looked_at <= 3);  // two more, and one that was looked at beside the last of them
}

TEST_CASE("a certificate of the operator's authority proves the user it names") {
  office o;
  auto client = o.connect("b.example", "bob");
  if (!client) FAIL(client.error().message());
  CHECK(client->authenticate("bob"));
  auto none = o.connect();
  REQUIRE(none);
  CHECK(none->authenticate("bob").error().rule == "auth");
}

TEST_CASE("a post office of another name is not believed") {
  office o;
  const auto client = o.connect("c.example");
  REQUIRE_FALSE(client);
}

TEST_CASE("what a client who went away had asked for is not read for nobody") {
  auto o = std::make_unique<office>();
  const std::string large(64U << 20U, 'x');
  memory_mail::store& store = o->store;
  store.inbox["a"] = {"ima: 1\n\n", {large}, {}, 1};
  {
    auto client = o->connect();
    REQUIRE(client);
    REQUIRE(client->authenticate("bob", "swordfish"));
    const auto enough = [](octets) -> result<void> {
      return error{fault::caller, "enough", "", ""};
    };
    CHECK(client->fetch("inbox", "a", 1, enough).error().rule == "enough");
  }
  o->server.stop();
  o->thread.join();
  CHECK(store.octets_read < large.size());
  o->thread = std::thread([] {});
}

TEST_CASE("a stranger has one deadline to prove himself, whatever he says meanwhile") {
  limits bounds;
  bounds.line = std::chrono::milliseconds(300);
  office o(bounds);
  auto client = o.connect();
  REQUIRE(client);
  int refusals = 0;
  for (; refusals < 1000; ++refusals) {
    if (client->folders().error().rule != "state") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(refusals < 1000);
}

namespace {

// What a client meets whose server is told to stop, and has ended, in the middle of a call.
struct stopped_meanwhile {
  office& o;
  result<void> operator()() const {
    o.server.stop();
    o.thread.join();
    o.thread = std::thread([] {});
    return {};
  }
};

// Comes for as long as it takes the server to end.
class stalled_body : public body_source {
 public:
  explicit stalled_body(office& o) : stop_{o} {}
  result<void> read_at(std::uint64_t, char*, std::size_t) override { return stop_(); }

 private:
  stopped_meanwhile stop_;
};

class late_body : public body_source {
 public:
  explicit late_body(std::chrono::milliseconds by) : by_(by) {}
  result<void> read_at(std::uint64_t, char* buffer, std::size_t size) override {
    std::this_thread::sleep_for(by_);
    std::fill_n(buffer, size, 'x');
    return {};
  }

 private:
  std::chrono::milliseconds by_;
};

// One that stops, and whose other deadlines are out of sight.
limits brief_stop() {
  limits bounds;
  bounds.stopping = std::chrono::milliseconds(200);
  bounds.line = bounds.idle = bounds.body_grace = std::chrono::hours(1);
  return bounds;
}

}  // namespace

TEST_CASE("a server that stops waits so long for a body, and keeps nothing of what did not come") {
  office o(brief_stop());
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  stalled_body body(o);
  CHECK_FALSE(client->append({"inbox", {}, {}}, block_of({std::string(100, 'x')}), body));
  CHECK(o.store.inbox.empty());
}

TEST_CASE("a body that is on its way at the end of a connection's age has as long again") {
  limits bounds;
  bounds.connection = std::chrono::milliseconds(300);
  office o(bounds);
  auto client = o.connect();
  REQUIRE(client);
  (void)client->authenticate("bob", "swordfish");  // late on a slow machine, and then all is over
  late_body body(4 * bounds.connection);
  CHECK_FALSE(client->append({"inbox", {}, {}}, block_of({std::string(100, 'x')}), body));
  CHECK(o.store.inbox.empty());
}

TEST_CASE("a server that stops waits so long for a client that reads slowly") {
  office o(brief_stop());
  const std::string large(64U << 20U, 'x');
  o.store.inbox["a"] = {"ima: 1\n\n", {large}, {}, 1};
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  bool stopped = false;
  const auto once = [&](octets) -> result<void> {
    return std::exchange(stopped, true) ? result<void>() : stopped_meanwhile{o}();
  };
  CHECK_FALSE(client->fetch("inbox", "a", 1, once));
  CHECK(o.store.octets_read < large.size());
}

TEST_CASE("a server that stops says what became of a message that was on its way to other hosts") {
  office o(brief_stop());
  o.store.while_sending = [&] {
    o.server.stop();
    std::this_thread::sleep_for(2 * brief_stop().stopping);
  };
  auto client = o.connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  text_body body("hello");
  const auto end = client->send({}, block_of({"hello"}), body,
                                {[](const auto&) {}, [](std::string_view, std::string_view) {}});
  REQUIRE(end);
  CHECK(end->what == send_verdict::delivered);
}

TEST_CASE("a server that stops does not look at a proof that waits its time") {
  service::proof_limits proofs;
  proofs.first_delay = std::chrono::hours(1);
  office o(brief_stop(), proofs);
  auto first = o.connect();
  REQUIRE(first);
  CHECK(first->authenticate("bob", "abc").error().rule == "auth");
  auto waiting = o.connect();
  REQUIRE(waiting);
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    o.server.stop();
  });
  const auto proof = waiting->authenticate("bob", "swordfish");
  stopper.join();
  REQUIRE_FALSE(proof);
  CHECK(proof.error().kind == fault::temporary);
}

TEST_CASE("a server that stops lets go of idle clients") {
  auto o = std::make_unique<office>();
  auto client = o->connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  o.reset();
  CHECK_FALSE(client->folders());
}
