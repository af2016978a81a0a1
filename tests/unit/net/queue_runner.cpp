#include "domains.hpp"
#include "net/queued_results.hpp"
#include "receiver.hpp"
#include "scripted_server.hpp"

#include <ima/net/queue_runner.hpp>
#include <ima/service/message_file.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace ima;
using namespace net_test;
using namespace std::chrono_literals;
using delivery::outcome;

namespace {

// Times 20 ms, where all goes well at once: a runner that meets a message in the moment in which it
// is added finds it locked, and comes again after half a minute.
constexpr int patience = 3000;

// A queue in a directory of its own, and who is reached where.
struct office {
  std::filesystem::path place;
  std::optional<service::queue> queue;
  net::queue_runner_options options;

  office() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ima-queue-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    place = pattern;
    queue.emplace(
        service::queue::open(mailbox::posix_file_system(), (place / "queue").string()).value());
    options.retry.first = 1h;
    options.scan = 20ms;
    options.workers = 2;
  }
  office(const office&) = delete;
  office& operator=(const office&) = delete;
  ~office() { std::filesystem::remove_all(place); }

  service::message_file message(const std::string& text, const std::vector<std::string>& to) const {
    header_builder builder;
    builder.field("from", "alice@a.example").field("subject", text);
    for (const std::string& one : to) builder.field("to", one);
    part_description part;
    part.size = text.size();
    part.sha256 = digest::of(text);
    const auto header = builder.part(part).build().value();
    const std::string file = (place / "message").string();
    std::ofstream(file, std::ios::binary) << header.text() << text;
    return service::message_file::open(file).value();
  }

  std::string add(const std::string& text, const std::vector<std::string>& to) {
    auto m = message(text, to);
    return queue->add(m.header(), m).value().id;
  }

  void run_once() {
    auto runner = net::queue_runner::create(*queue, imdp("a.example"), options).value();
    const auto good = runner.run_once();
    if (!good) FAIL(good.error().message());
  }

  net::send_report send(service::message_file& m) {
    net::sender_options sending;
    sending.hosts = options.hosts;
    return net::send_or_queue(m.header(), m, *queue, imdp("a.example"), sending, options.retry)
        .value();
  }

  std::size_t size() const { return queue->ids().value().size(); }
};

std::string nowhere() {
  asio::io_context loop;
  const auto taken = net::listen_on(loop, "127.0.0.1:0").value();
  return net::text_of(taken.local_endpoint());
}

// A server that plays the same script to each connection and accepts what it is offered.
net::awaitable<void> take_all(peer& p) {
  p.say("IMDP 1 b.example max-size=1000\n");
  while (true) {
    const bool more = co_await p.hear("MAIL ");
    if (!more) co_return;
    co_await p.hear("\n\n");
    p.say("ACCEPT\n");
    co_await p.hear("DATA ");
    co_await p.hear("\n");
    p.say("OK\n");
  }
}

template <class Reached>
bool eventually(const Reached& reached) {
  for (int i = 0; i < patience && !reached(); ++i) std::this_thread::sleep_for(20ms);
  return reached();
}

// The one message of the queue is not offered: a report about it waits in its place.
void check_only_reported(office& o, receiver& b) {
  o.run_once();
  const auto ids = o.queue->ids().value();
  REQUIRE(ids.size() == 1);
  CHECK(o.queue->read(ids.at(0)).value().automatic);
  b.stop();
  CHECK(b.handler.judged == 0);
}

}  // namespace

TEST_CASE("what is queued for a host goes over one connection, and the queue is empty then") {
  std::atomic<int> connections = 0;
  const scripted_server b(imdp("b.example"), [&](peer& p) -> net::awaitable<void> {
    ++connections;
    co_await take_all(p);
  });
  office o;
  o.options.hosts["b.example"] = b.address();
  for (const char* text : {"one", "two", "three"}) o.add(text, {"bob@b.example"});
  o.run_once();
  CHECK(o.size() == 0);
  CHECK(connections == 1);
}

TEST_CASE("a host that is away keeps its messages and delays nobody else's") {
  receiver b("b.example");
  office o;
  o.options.hosts = {{"b.example", b.address()}, {"c.example", nowhere()}};
  o.options.connections = 2;
  for (int i = 0; i < 20; ++i) o.add("to c " + std::to_string(i), {"carol@c.example"});
  o.add("to both", {"bob@b.example", "carol@c.example"});
  o.run_once();
  b.stop();
  CHECK(b.handler.finished == 1);
  CHECK(o.size() == 21);
  std::uint64_t tries = 0;
  const auto ids = o.queue->ids().value();
  for (const std::string& id : ids) {
    const auto m = o.queue->read(id).value();
    for (const auto& h : m.hosts) CHECK(h.open() == (h.host == "c.example"));
    tries += m.hosts.back().tries;
  }
  CHECK(tries == 1);  // one of them says so on disk, the others wait with it
}

TEST_CASE("a refusal for good is reported to the originator, by the same way") {
  receiver a("a.example");
  receiver b("b.example");
  b.handler.answer.what = delivery::header_answer::kind::reject;
  office o;
  o.options.hosts = {{"a.example", a.address()}, {"b.example", b.address()}};
  o.add("hello", {"bob@b.example"});
  o.run_once();
  CHECK(o.size() == 1);  // the report
  o.run_once();
  CHECK(o.size() == 0);
  a.stop();
  CHECK(a.handler.finished == 1);
}

TEST_CASE("a host that deferred a message is left alone until its time") {
  receiver b("b.example");
  b.handler.verdict = delivery::verdict::defer;
  office o;
  o.options.hosts["b.example"] = b.address();
  o.add("hello", {"bob@b.example"});
  o.run_once();
  o.run_once();
  CHECK(o.size() == 1);
  b.stop();
  CHECK(b.handler.judged == 1);
}

TEST_CASE("a report that cannot be queued delays no other host and is made as soon as it can be") {
  receiver c("c.example");
  office o;
  o.options.hosts = {{"a.example", nowhere()}, {"c.example", c.address()}};
  const auto tmp = o.place / "queue/tmp";
  std::string id;
  {
    auto m = o.message("hello", {"bob@b.example", "carol@c.example"});
    auto added = o.queue->add(m.header(), m).value();
    id = added.id;
    service::host_claim& b = added.claims.at(0);
    const auto whose = b.state().results.at(0).recipient;
    REQUIRE(b.record({{whose, outcome::fail, "no"}}, "", o.queue->disk().now()));
    std::filesystem::rename(tmp, o.place / "away");
  }
  auto runner = net::queue_runner::create(*o.queue, imdp("a.example"), o.options).value();
  std::thread thread([&] { CHECK(runner.run()); });
  CHECK(eventually([&] { return c.handler.finished == 1; }));
  CHECK(o.queue->read(id));
  std::filesystem::rename(o.place / "away", tmp);
  CHECK(eventually([&] { return !o.queue->read(id); }));
  runner.stop();
  thread.join();
  const auto ids = o.queue->ids().value();
  REQUIRE(ids.size() == 1);
  CHECK(o.queue->read(ids.at(0)).value().automatic);
}

TEST_CASE("a message that waited too long fails with the reason of the last try") {
  office o;
  o.options.hosts = {{"b.example", nowhere()}, {"a.example", nowhere()}};
  o.options.retry.lifetime = 0s;
  const auto id = o.add("hello", {"bob@b.example"});
  o.run_once();
  const auto ids = o.queue->ids().value();
  REQUIRE(ids.size() == 1);
  CHECK(ids.at(0) != id);
  CHECK(o.queue->read(ids.at(0)).value().automatic);
  std::ifstream file(o.queue->message_path(ids.at(0)));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(text.find("given up after too long") != std::string::npos);
  CHECK(text.find("Connection refused") != std::string::npos);
}

// Receivers remember for 14 days: what is older might arrive twice.
TEST_CASE("a message older than its lifetime is given up without being offered") {
  for (const auto lifetime : {1s, 86'400s * 60}) {
    receiver b("b.example");
    office o;
    o.options.hosts = {{"b.example", b.address()}, {"a.example", nowhere()}};
    o.options.retry.lifetime = lifetime;
    const auto id = o.add("hello", {"bob@b.example"});
    const auto old = mailbox::posix_file_system().now() - 14 * 86'400s;
    const std::string line = "created " + timestamp{old, {}}.text() + " alice@a.example";
    std::ofstream(o.place / "queue/entries" / id / "_entry")
        << digest::of(line).hex().substr(0, 16) << ' ' << line << '\n';
    check_only_reported(o, b);
  }
}

TEST_CASE("only those who still wait are named when a host is asked again") {
  receiver b("b.example");
  office o;
  auto m = o.message("hello", {"bob@b.example", "ben@b.example", "carol@c.example"});
  service::queued_host h{"b.example", {}, 0, {}, {}, "", false};
  h.results = {{address::parse("bob@b.example").value(), outcome::ok, ""},
               {address::parse("ben@b.example").value(), outcome::defer, ""}};
  const auto header = net::for_those_who_wait(m.header(), h, {});
  REQUIRE(header.recipients().size() == 1);
  CHECK(header.recipients().at(0).text() == "ben@b.example");
  CHECK(header.id_digest() == m.header().id_digest());
  h.results.at(0).what = outcome::defer;
  CHECK(net::for_those_who_wait(m.header(), h, {}).text() == m.header().text());
}

TEST_CASE("those who still wait are named as far as our limits go, not the default ones") {
  limits bounds;
  bounds.recipients = bounds.recipients + 200;
  header_builder builder;
  builder.field("from", "alice@a.example");
  service::queued_host h{"b.example", {}, 0, {}, {}, "", false};
  for (std::size_t i = 0; i + 1 < bounds.recipients; ++i) {
    const auto who = address::parse("b" + std::to_string(i) + "@b.example").value();
    builder.field("to", who.text());
    h.results.push_back({who, i == 7 ? outcome::defer : outcome::ok, ""});
  }
  const auto whole = builder.build(bounds).value();
  const auto named = net::for_those_who_wait(whole, h, bounds);
  REQUIRE(named.recipients().size() == 1);
  CHECK(named.recipients().at(0).text() == "b7@b.example");
  bounds.recipients -= 1;  // who has it says so again
  CHECK(net::for_those_who_wait(whole, h, bounds).text() == whole.text());
}

TEST_CASE("a message that was queued under wider limits is sent all the same") {
  receiver b("b.example");
  office o;
  o.options.hosts["b.example"] = b.address();
  o.add("hello", {"bob@b.example", "ben@b.example"});
  o.options.bounds.recipients = 1;
  o.run_once();
  CHECK(o.size() == 0);
  b.stop();
  CHECK(b.handler.finished == 1);
}

TEST_CASE(
    "a message that the disk did not keep as it was is reported, not sent and not forgotten") {
  receiver b("b.example");
  office o;
  o.options.hosts = {{"b.example", b.address()}, {"a.example", nowhere()}};
  const auto id = o.add("hello", {"bob@b.example"});
  const auto file = o.queue->message_path(id);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  check_only_reported(o, b);
}

TEST_CASE("whichever bit of a queued message's records flips, nobody is forgotten") {
  receiver b("b.example");
  office o;
  o.options.hosts["b.example"] = b.address();
  o.options.retry.first = 1s;
  int sent = 0;
  for (const char* name : {"b.example", "_entry"}) {
    for (std::size_t at = 0; at < 200; at += 7) {
      const auto id = o.add(std::to_string(++sent), {"bob@b.example", "ben@b.example"});
      CAPTURE(name);
      CAPTURE(at);
      std::fstream file(o.place / "queue/entries" / id / name);
      file.seekg(0, std::ios::end);
      file.seekp(static_cast<std::streamoff>(at) % file.tellg());
      const auto place = file.tellp();
      file.seekg(place);
      const auto octet = static_cast<char>(file.get() ^ 1);
      file.seekp(place);
      file.put(octet);
      file.close();
      o.run_once();
      CHECK(o.size() == 0);
    }
  }
  b.stop();
  CHECK(b.handler.finished == sent);
  CHECK(b.handler.recipients == 2 * sent);
}

TEST_CASE("a host's file that is lost or empty is made anew") {
  receiver b("b.example");
  office o;
  o.options.hosts["b.example"] = b.address();
  std::filesystem::remove(o.place / "queue/entries" / o.add("one", {"bob@b.example"}) /
                          "b.example");
  std::filesystem::resize_file(
      o.place / "queue/entries" / o.add("two", {"bob@b.example"}) / "b.example", 0);
  o.run_once();
  CHECK(o.size() == 0);
  b.stop();
  CHECK(b.handler.finished == 2);
}

TEST_CASE("a message whose header block is damaged is reported by what its other files say") {
  receiver b("b.example");
  for (const bool lost : {false, true}) {
    office o;
    o.options.hosts = {{"b.example", b.address()}, {"a.example", nowhere()}};
    const auto id = o.add("hello", {"bob@b.example"});
    if (lost) {
      std::filesystem::remove(o.queue->message_path(id));
    } else {
      std::fstream file(o.queue->message_path(id));
      file.seekp(10);
      file.put('X');
    }
    o.run_once();
    const auto ids = o.queue->ids().value();
    REQUIRE(ids.size() == 1);
    CHECK(ids.at(0) != id);
    std::ifstream file(o.queue->message_path(ids.at(0)));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    CHECK(text.find("\nto: alice@a.example\n") != std::string::npos);
    CHECK(text.find("bob@b.example\n    damaged in the queue") != std::string::npos);
  }
  b.stop();
  CHECK(b.handler.judged == 0);
}

TEST_CASE("a message held is not tried before it is released") {
  receiver b("b.example");
  office o;
  o.options.hosts["b.example"] = b.address();
  const auto id = o.add("hello", {"bob@b.example"});
  REQUIRE(o.queue->hold(id));
  o.run_once();
  CHECK(o.size() == 1);
  REQUIRE(o.queue->release(id));
  o.run_once();
  CHECK(o.size() == 0);
}

TEST_CASE("a runner that stays up takes new messages, notices a retry, and stops when told") {
  receiver b("b.example");
  office o;
  o.options.hosts["b.example"] = b.address();
  auto runner = net::queue_runner::create(*o.queue, imdp("a.example"), o.options).value();
  std::thread thread([&] { CHECK(runner.run()); });
  const auto empty = [&] { return eventually([&] { return o.size() == 0; }); };
  o.add("one", {"bob@b.example"});
  CHECK(empty());
  {
    auto m = o.message("two", {"bob@b.example"});
    auto added = o.queue->add(m.header(), m).value();
    REQUIRE(added.claims.at(0).record({}, "away", mailbox::posix_file_system().now() + 1h));
  }
  REQUIRE(o.queue->retry(o.queue->ids().value().at(0)));
  CHECK(empty());
  runner.stop();
  thread.join();
  b.stop();
  CHECK(b.handler.finished == 2);
}

TEST_CASE("what an operator does to one message makes no other host due") {
  std::atomic<int> looked = 0;
  const scripted_server c(imdp("c.example"), [&](peer&) -> net::awaitable<void> {
    ++looked;  // and goes away without a greeting
    co_return;
  });
  receiver b("b.example");
  office o;
  o.options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  for (const char* text : {"one", "two"}) o.add(text, {"carol@c.example"});
  auto runner = net::queue_runner::create(*o.queue, imdp("a.example"), o.options).value();
  std::thread thread([&] { CHECK(runner.run()); });
  CHECK(eventually([&] { return looked == 1; }));
  const auto delivered = [&] {  // two scans have begun since
    for (const char* text : {"three", "four"}) {
      o.add(text + std::to_string(b.handler.finished), {"bob@b.example"});
      if (!eventually([&] { return o.size() == 2; })) return false;
    }
    return true;
  };
  const std::string waits = o.queue->ids().value().at(0);
  REQUIRE(o.queue->hold(waits));
  CHECK(delivered());
  CHECK(looked == 1);
  REQUIRE(o.queue->release(waits));
  CHECK(delivered());
  CHECK(looked == 1);
  REQUIRE(o.queue->retry(waits));
  CHECK(eventually([&] { return looked == 2; }));
  runner.stop();
  thread.join();
}

TEST_CASE("sending with a queue leaves behind what is deferred, and nothing of what is delivered") {
  receiver b("b.example");
  receiver c("c.example");
  c.handler.answer.what = delivery::header_answer::kind::defer;
  office o;
  o.options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  auto one = o.message("one", {"bob@b.example"});
  CHECK(o.send(one).what == net::send_report::outcome::delivered);
  CHECK(o.size() == 0);
  auto two = o.message("two", {"bob@b.example", "carol@c.example"});
  CHECK(o.send(two).what == net::send_report::outcome::mixed);
  REQUIRE(o.size() == 1);
  const auto kept = o.queue->read(o.queue->ids().value().at(0)).value();
  CHECK_FALSE(kept.hosts.at(0).open());
  CHECK(kept.hosts.at(1).open());
  CHECK(kept.hosts.at(1).tries == 1);
  const auto again = o.send(two);  // it is there already, and goes on from where it is
  CHECK(again.hosts.at(1).results.at(0).what == outcome::defer);
  CHECK(o.size() == 1);
}

TEST_CASE("sending with a queue queues nothing of what is refused for good in the first round") {
  receiver b("b.example");
  receiver c("c.example");
  c.handler.answer.what = delivery::header_answer::kind::reject;
  office o;
  o.options.hosts = {{"b.example", b.address()}, {"c.example", c.address()}};
  auto m = o.message("one", {"bob@b.example", "carol@c.example"});
  CHECK(o.send(m).what == net::send_report::outcome::refused);
  CHECK(o.size() == 0);
  b.stop();
  CHECK(b.handler.finished == 0);
}

TEST_CASE("an observer hears of a sending with a queue as of one without") {
  struct counter : net::send_observer {
    std::atomic<int> kept = 0;
    int finished_hosts = 0;
    void keep(const net::host_report&) override { ++kept; }
    void finished(const net::host_report&) override { ++finished_hosts; }
  } watcher;
  receiver b("b.example");
  office o;
  net::sender_options sending;
  sending.hosts["b.example"] = b.address();
  sending.observer = &watcher;
  auto m = o.message("one", {"bob@b.example"});
  REQUIRE(net::send_or_queue(m.header(), m, *o.queue, imdp("a.example"), sending, o.options.retry));
  CHECK(watcher.kept == 1);
  CHECK(watcher.finished_hosts == 1);
}

TEST_CASE("a failure that the caller is told of is not reported by mail as well") {
  receiver b("b.example");
  b.handler.verdict = delivery::verdict::fail;
  office o;
  o.options.hosts["b.example"] = b.address();
  auto m = o.message("one", {"bob@b.example"});
  CHECK(o.send(m).what == net::send_report::outcome::refused);
  CHECK(o.size() == 0);
}

TEST_CASE("a runner that could never send is not made") {
  office o;
  const auto rule_of = [&](const tls::context& tls) {
    return net::queue_runner::create(*o.queue, tls, o.options).error().rule;
  };
  tls::context_options for_users;
  for_users.inside = tls::protocol::imrp;
  CHECK(rule_of(tls::context::create(for_users).value()) == "tls-protocol");
  o.options.workers = 0;
  CHECK(rule_of(imdp("a.example")) == "workers");
  o.options.connections = 0;
  CHECK(rule_of(imdp("a.example")) == "connections");
  o.options.hosts["b.example"] = "127.0.0.1:mail";
  CHECK(rule_of(imdp("a.example")) == "endpoint");
}

TEST_CASE("a runner takes up nothing by which it could never send") {
  receiver b("b.example");
  office o;
  o.options.hosts["b.example"] = b.address();
  auto runner = net::queue_runner::create(*o.queue, imdp("a.example"), o.options).value();
  o.options.hosts["b.example"] = "127.0.0.1:mail";
  const auto bad = runner.use(o.options);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().rule == "endpoint");
  CHECK(bad.error().place == "b.example");
  o.options.hosts["b.example"] = nowhere();
  o.options.per_host = 0;
  CHECK(runner.use(o.options).error().rule == "connections");
  o.add("one", {"bob@b.example"});
  REQUIRE(runner.run_once());
  CHECK(o.size() == 0);  // it went where it was to go before
}

TEST_CASE("a runner runs again when the queue can be read again") {
  office o;
  auto runner = net::queue_runner::create(*o.queue, imdp("a.example"), o.options).value();
  std::filesystem::rename(o.place / "queue/entries", o.place / "away");
  CHECK_FALSE(runner.run_once());
  std::filesystem::rename(o.place / "away", o.place / "queue/entries");
  CHECK(runner.run_once());
}
