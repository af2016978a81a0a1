#include "authority.hpp"

#include <ima/net/delivery_server.hpp>
#include <ima/tls/engine.hpp>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace ima;
using namespace std::chrono_literals;
using delivery::header_answer;
using delivery::verdict;

namespace {

const test::authority& the_authority() {
  static const struct made_authority : test::authority {
    made_authority() {
      issue_domain("a.example");
      issue_domain("b.example");
    }
  } made;
  return made;
}

tls::context context_of(const std::string& domain) {
  tls::context_options options;
  options.system_store = false;
  options.ca_file = the_authority().ca_file();
  options.credentials = {
      {the_authority().path(domain + ".pem"), the_authority().path(domain + ".key")}};
  return tls::context::create(options).value();
}

// A handler that takes everything; a test may hold it back, or make it talkative.
struct willing : delivery::handler {
  std::mutex mutex;
  std::condition_variable changed;
  bool held = false;
  bool waiting = false;  // somebody is held back
  std::string slow;      // only messages of this subject are held, and wait for a program
  std::size_t talk = 0;
  std::atomic<int> finished{0};
  std::atomic<int> dropped{0};
  std::function<void()> on_drop;
  std::vector<address> unknown;

  struct transaction : delivery::transaction {
    willing& all;
    bool slow;
    bool done = false;
    transaction(willing& w, bool waits) : all(w), slow(waits) {}
    ~transaction() override {
      all.dropped += done ? 0 : 1;
      if (all.on_drop) all.on_drop();
    }
    header_answer judge() override {
      header_answer answer;
      answer.what = header_answer::kind::accept;
      answer.unknown = all.unknown;
      return answer;
    }
    ima::result<void> body(const part_slice&) override { return {}; }
    delivery::final_answer finish(delivery::reply_sink& sink) override {
      for (std::size_t i = 0; i < all.talk; ++i) sink.note(std::string(400, 'x'));
      std::unique_lock lock(all.mutex);
      if (slow || all.slow.empty()) {
        all.waiting = all.held;
        all.changed.notify_all();
        all.changed.wait(lock, [&] { return !all.held; });
      }
      ++all.finished;
      done = true;
      return {verdict::ok, false};
    }
    bool waits_for_programs() const override { return slow; }
  };
  std::unique_ptr<delivery::transaction> open(const header_block& header,
                                              const delivery::peer_info&) override {
    return std::make_unique<transaction>(*this, !slow.empty() && header.subject() == slow);
  }
  void hold(bool on) {
    const std::lock_guard lock(mutex);
    held = on;
    changed.notify_all();
  }
  void wait_until_held() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting; });
  }
};

// A receiving server on a free loopback port, run on a thread of its own.
struct host {
  willing handler;
  net::delivery_server server;
  std::thread thread;

  explicit host(net::delivery_server_options options = {})
      : server(make(std::move(options), handler)), thread([this] { server.run(); }) {}
  host(const host&) = delete;
  host& operator=(const host&) = delete;
  ~host() {
    server.stop();
    if (thread.joinable()) thread.join();
  }
  static net::delivery_server make(net::delivery_server_options options, willing& handler) {
    options.listen = {"127.0.0.1:0"};
    return net::delivery_server::create(options, context_of("b.example"), handler).value();
  }
  std::uint16_t port() const {
    const std::string& text = server.addresses().at(0);
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  }
};

// A sender with a mind of its own: a blocking socket with TLS over it.
class peer {
 public:
  explicit peer(const host& to)
      : tls_(tls::engine::client(context_of("a.example"), "b.example", "a.example").value()),
        socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int small = 16384;  // so that a test fills the kernel's buffers soon
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(to.port());
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
  }
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  ~peer() { ::close(socket_); }

  // False when the connection ended first.
  bool handshake() {
    while (!tls_.handshake_done()) {
      char none = 0;
      if (!tls_.read(&none, 0) || !flush()) return false;
      if (!tls_.handshake_done() && !more()) return false;
    }
    return flush();
  }
  void greet() {
    REQUIRE(handshake());
    CHECK(line().starts_with("IMDP 1 b.example"));
  }
  bool say(octets text) { return tls_.write(text).has_value() && flush(); }
  // As much as goes without waiting; line() sends the rest.
  void say_without_waiting(octets text) {
    REQUIRE(tls_.write(text));
    push(MSG_DONTWAIT);
  }
  bool has_more_to_say() const { return !tls_.pending_output().empty(); }
  bool wait_to_write(int milliseconds) {
    pollfd on{socket_, POLLOUT, 0};
    return ::poll(&on, 1, milliseconds) == 1;
  }
  bool flush() { return push(0); }

  // The next line, or "(end)".
  std::string line() {
    while (true) {
      if (const auto end = heard_.find('\n'); end != std::string::npos) {
        std::string one = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return one;
      }
      char text[16384];
      const auto count = tls_.read(text, sizeof text);
      if (!count || (*count == 0 && tls_.closed())) return "(end)";
      heard_.append(text, *count);
      if (*count == 0 && !more()) return "(end)";
    }
  }

 private:
  bool push(int flags) {
    while (!tls_.pending_output().empty()) {
      const octets waiting = tls_.pending_output();
      const ssize_t count = ::send(socket_, waiting.data(), waiting.size(), flags | MSG_NOSIGNAL);
      if (count < 0) return false;
      tls_.sent(static_cast<std::size_t>(count));
    }
    return true;
  }
  // Waits for more to read, and writes what waits meanwhile.
  bool more() {
    const bool waiting = !tls_.pending_output().empty();
    pollfd on{socket_, static_cast<short>(POLLIN | (waiting ? POLLOUT : 0)), 0};
    if (::poll(&on, 1, 20'000) != 1) return false;
    if ((on.revents & POLLOUT) != 0) push(MSG_DONTWAIT);
    if ((on.revents & ~POLLOUT) == 0) return true;
    const ssize_t count = ::recv(socket_, ciphertext_, sizeof ciphertext_, 0);
    if (count <= 0) return false;
    tls_.receive(octets(ciphertext_, static_cast<std::size_t>(count)));
    return true;
  }

  tls::engine tls_;
  int socket_;
  std::string heard_;
  char ciphertext_[16384];
};

const std::string text = "hello";

std::string offer(int number = 0) {
  header_builder builder;
  builder.field("from", "alice@a.example").field("to", "bob@b.example");
  builder.field("subject", std::to_string(number));
  builder.part({text.size(), digest::of(text), "text/plain", "", "", "", ""});
  const header_block made = builder.build().value();
  return "MAIL " + std::to_string(made.size()) + "\n" + std::string(made.text());
}

std::string whole(int number = 0) { return offer(number) + "DATA 5\n" + text; }

net::delivery_server_options with(limits bounds) {
  net::delivery_server_options options;
  options.bounds = bounds;
  return options;
}

}  // namespace

TEST_CASE("messages sent ahead are answered in order") {
  host h;
  peer p(h);
  p.greet();
  REQUIRE(p.say(whole(1) + whole(2) + "MAIL 1\nxDONE\n"));
  CHECK(p.line() == "ACCEPT");
  CHECK(p.line() == "OK");
  CHECK(p.line() == "ACCEPT");
  CHECK(p.line() == "OK");
  CHECK(p.line().starts_with("REJECT syntax"));
  CHECK(p.line() == "(end)");
  CHECK(h.handler.finished == 2);
}

TEST_CASE("a sender that writes without reading gets every answer once it reads") {
  limits bounds;
  bounds.offers = 1'000'000;
  host h(with(bounds));
  peer p(h);
  p.greet();
  // Their answers are more than the server's buffers and the kernel's hold.
  constexpr int said = 25'000;
  std::string many;
  for (int i = 0; i < said; ++i) many += "MAIL 1\nx";
  p.say_without_waiting(many);
  while (p.has_more_to_say() && p.wait_to_write(100)) p.say_without_waiting("");
  int answers = 0;
  while (answers < said && p.line().starts_with("REJECT syntax")) ++answers;
  CHECK(answers == said);
}

TEST_CASE("a server that stops says so to idle peers and returns") {
  auto h = std::make_unique<host>();
  peer p(*h);
  p.greet();
  h->server.stop();
  CHECK(p.line() == "CLOSE shutdown");
  CHECK(p.line() == "(end)");
  h.reset();
}

TEST_CASE("a server that stops finishes the message in hand and takes no other") {
  auto h = std::make_unique<host>();
  peer p(*h);
  p.greet();
  peer idle(*h);
  idle.greet();
  h->handler.hold(true);
  REQUIRE(p.say(whole(1) + whole(2)));
  CHECK(p.line() == "ACCEPT");
  h->handler.wait_until_held();
  h->server.stop();
  CHECK(idle.line() == "CLOSE shutdown");
  h->handler.hold(false);
  CHECK(p.line() == "OK");
  CHECK(p.line() == "CLOSE shutdown");
  CHECK(p.line() == "(end)");
  h->thread.join();
  CHECK(h->handler.finished == 1);
}

TEST_CASE("a peer cannot keep a server from stopping") {
  limits bounds;
  bounds.stopping = 100ms;
  host h(with(bounds));
  peer p(h);
  p.greet();
  REQUIRE(p.say(offer() + "DATA 5\nhel"));
  CHECK(p.line() == "ACCEPT");
  h.server.stop();
  h.thread.join();
  CHECK(p.line() == "(end)");
  CHECK(h.handler.dropped == 1);
}

TEST_CASE("a server that stops answers what its handler has, however long that takes") {
  limits bounds;
  bounds.stopping = 50ms;
  host h(with(bounds));
  peer p(h);
  p.greet();
  h.handler.hold(true);
  REQUIRE(p.say(whole()));
  CHECK(p.line() == "ACCEPT");
  h.handler.wait_until_held();
  h.server.stop();
  std::this_thread::sleep_for(4 * bounds.stopping);  // so that its patience is over
  h.handler.hold(false);
  CHECK(p.line() == "OK");
  CHECK(p.line() == "CLOSE shutdown");
  h.thread.join();
}

TEST_CASE("a peer that has left when a server stops keeps nothing waiting") {
  limits bounds;
  bounds.stopping = 30s;
  host h(with(bounds));
  std::chrono::steady_clock::time_point stopped;
  h.handler.on_drop = [&] {
    stopped = std::chrono::steady_clock::now();
    h.server.stop();
  };
  {
    peer p(h);
    p.greet();
    REQUIRE(p.say(offer() + "DATA 5\nhel"));
    CHECK(p.line() == "ACCEPT");
  }
  h.thread.join();
  CHECK(std::chrono::steady_clock::now() - stopped < bounds.stopping);
}

TEST_CASE("an offer for somebody who does not exist is let go before it is answered") {
  host h;
  h.handler.unknown = {address::parse("bob@b.example").value()};
  peer p(h);
  p.greet();
  REQUIRE(p.say(offer()));
  CHECK(p.line() == "NORECIPIENT bob@b.example");
  CHECK(p.line() == "REJECT recipients");
  CHECK(h.handler.dropped == 1);
}

TEST_CASE("deadlines end a connection: handshake, silence, half a header block, a slow body") {
  limits bounds;
  bounds.handshake = bounds.line = bounds.idle = bounds.body_grace = 200ms;
  bounds.body_rate = 1000;
  host h(with(bounds));
  peer mute(h);  // never begins TLS
  peer idle(h);
  idle.greet();
  peer half(h);
  half.greet();
  REQUIRE(half.say(offer().substr(0, 40)));
  peer slow(h);
  slow.greet();
  REQUIRE(slow.say(offer() + "DATA 5\nh"));
  CHECK(slow.line() == "ACCEPT");
  CHECK(slow.line() == "(end)");
  CHECK(idle.line() == "(end)");
  CHECK(half.line() == "(end)");
  CHECK(mute.line() == "(end)");
}

TEST_CASE("a sender may think before its first message for longer than a handshake takes") {
  limits bounds;
  bounds.handshake = 1s;
  host h(with(bounds));
  peer p(h);
  p.greet();
  std::this_thread::sleep_for(1200ms);
  REQUIRE(p.say(offer()));
  CHECK(p.line() == "ACCEPT");
}

TEST_CASE("an ACCEPT lapses, and the connection goes on") {
  limits bounds;
  bounds.accept_lapse = 50ms;
  host h(with(bounds));
  peer p(h);
  p.greet();
  REQUIRE(p.say(offer()));
  CHECK(p.line() == "ACCEPT");
  CHECK(p.line() == "DEFER lapsed");
  REQUIRE(p.say("DATA 5\nhello" + offer(2)));
  CHECK(p.line() == "ACCEPT");
  REQUIRE(p.say("DATA 5\nhello"));
  CHECK(p.line() == "OK");
  CHECK(h.handler.dropped == 1);
}

TEST_CASE("a connection past its age is closed when it is asked for more") {
  limits bounds;
  bounds.connection = 1ms;
  host h(with(bounds));
  peer p(h);
  p.greet();
  std::string last = p.line();
  CHECK(last == "CLOSE shutdown");
  CHECK(p.line() == "(end)");
}

TEST_CASE("a body that comes at the lowest rate ends with its connection all the same") {
  limits bounds;
  bounds.connection = 300ms;
  bounds.body_grace = 60s;
  bounds.body_rate = 1;
  host h(with(bounds));
  const std::string long_text(10'000, 'x');
  header_builder builder;
  builder.field("from", "alice@a.example").field("to", "bob@b.example");
  builder.part({long_text.size(), digest::of(long_text), "text/plain", "", "", "", ""});
  const header_block made = builder.build().value();
  peer p(h);
  p.greet();
  REQUIRE(p.say("MAIL " + std::to_string(made.size()) + "\n" + std::string(made.text()) +
                "DATA 10000\n"));
  CHECK(p.line() == "ACCEPT");
  std::size_t said = 0;
  while (said < long_text.size() / 2 && p.say("x")) {
    ++said;
    std::this_thread::sleep_for(5ms);
  }
  CHECK(said < long_text.size() / 2);
  CHECK(p.line() == "(end)");
  CHECK(h.handler.finished == 0);
}

TEST_CASE("a certificate that ends while the connection lives proves nothing any more") {
  std::atomic<std::chrono::hours> later = 0h;
  net::delivery_server_options options;
  options.now = [&] { return std::chrono::system_clock::now() + later.load(); };
  host h(options);
  peer p(h);
  p.greet();
  REQUIRE(p.say(whole(1)));
  CHECK(p.line() == "ACCEPT");
  CHECK(p.line() == "OK");
  later = 24h * 3650;
  REQUIRE(p.say(offer(2)));
  CHECK(p.line().starts_with("REJECT identity"));
  later = 0h;
  REQUIRE(p.say(whole(3)));
  CHECK(p.line() == "ACCEPT");
  CHECK(p.line() == "OK");
}

TEST_CASE("a connection is closed after as many offers, or recipients, as are allowed") {
  limits offers;
  offers.offers = 2;
  limits recipients;
  recipients.offered_recipients = 2;
  for (const limits& bounds : {offers, recipients}) {
    host h(with(bounds));
    peer p(h);
    p.greet();
    REQUIRE(p.say(whole(1) + whole(2) + whole(3)));
    for (const std::string wanted : {"ACCEPT", "OK", "ACCEPT", "OK", "CLOSE shutdown", "(end)"})
      CHECK(p.line() == wanted);
    CHECK(h.handler.finished == 2);
  }
}

TEST_CASE("messages that wait for a program keep no other from being delivered") {
  net::delivery_server_options options;
  options.workers = options.commands = 1;
  host h(options);
  h.handler.slow = "1";
  h.handler.hold(true);
  peer slow(h);
  slow.greet();
  REQUIRE(slow.say(whole(1)));
  CHECK(slow.line() == "ACCEPT");
  h.handler.wait_until_held();
  peer behind(h);
  behind.greet();
  REQUIRE(behind.say(whole(1)));
  peer other(h);
  other.greet();
  for (int i = 2; i < 5; ++i) {
    REQUIRE(other.say(whole(i)));
    CHECK(other.line() == "ACCEPT");
    CHECK(other.line() == "OK");
  }
  h.handler.hold(false);
  CHECK(slow.line() == "OK");
  CHECK(behind.line() == "ACCEPT");
  CHECK(behind.line() == "OK");
}

TEST_CASE("a server that stops waits for no handshake") {
  limits bounds;
  bounds.handshake = bounds.stopping = 1h;
  host h(with(bounds));
  peer mute(h);
  peer late(h);
  {
    peer served(h);
    served.greet();  // so the others have been accepted before
    h.server.stop();
    CHECK(served.line() == "CLOSE shutdown");
  }
  REQUIRE_FALSE(late.handshake());
  h.thread.join();  // mute has still said nothing
}

TEST_CASE("limits that are exchanged count for connections that come after") {
  host h;
  peer before(h);
  before.greet();
  limits bounds;
  bounds.offers = 1;
  REQUIRE(h.server.use(bounds, 1000, 2));
  peer after(h);
  after.greet();
  peer third(h);
  CHECK_FALSE(third.handshake());
  for (peer* p : {&before, &after}) REQUIRE(p->say(whole(1)));
  CHECK(after.line() == "ACCEPT");
  CHECK(after.line() == "OK");
  CHECK(after.line() == "CLOSE shutdown");
  CHECK(before.line() == "ACCEPT");
  CHECK(before.line() == "OK");
  REQUIRE(before.say(whole(2)));
  CHECK(before.line() == "ACCEPT");
  CHECK(before.line() == "OK");
}

TEST_CASE("one peer gets as many connections as are allowed, and another when one ends") {
  net::delivery_server_options options;
  options.connections_per_peer = 2;
  host h(options);
  peer one(h);
  one.greet();
  {
    peer two(h);
    two.greet();
    peer three(h);
    CHECK_FALSE(three.handshake());
  }
  bool again = false;  // until the server has noticed that two is gone
  for (int i = 0; i < 200 && !again; ++i) {
    peer next(h);
    again = next.handshake();
    if (!again) std::this_thread::sleep_for(20ms);
  }
  CHECK(again);
}

TEST_CASE("connections over the limit wait until one ends") {
  net::delivery_server_options options;
  options.connections = 1;
  host h(options);
  auto one = std::make_unique<peer>(h);
  one->greet();
  peer two(h);
  std::atomic<bool> greeted{false};
  std::thread waiting([&] { greeted = two.handshake(); });
  std::this_thread::sleep_for(100ms);
  CHECK_FALSE(greeted);
  one.reset();
  waiting.join();
  CHECK(greeted);
}

TEST_CASE("a server that may have no connections is not made, nor becomes one later") {
  willing handler;
  net::delivery_server_options options;
  for (auto* none : {&options.connections, &options.connections_per_peer}) {
    const auto before = std::exchange(*none, 0);
    const auto made = net::delivery_server::create(options, context_of("b.example"), handler);
    REQUIRE_FALSE(made);
    CHECK(made.error().rule == "connections");
    *none = before;
  }
  host h;
  CHECK(h.server.use({}, 0, 100).error().rule == "connections");
  CHECK(h.server.use({}, 1000, 0).error().rule == "connections");
  peer p(h);
  p.greet();
}

TEST_CASE("a handler that talks without end is cut short") {
  limits bounds;
  bounds.notes = 3;
  host h(with(bounds));
  h.handler.talk = 100'000;
  peer p(h);
  p.greet();
  REQUIRE(p.say(whole()));
  CHECK(p.line() == "ACCEPT");
  CHECK(p.line().starts_with("NOTE xxx"));
  CHECK(p.line().starts_with("NOTE xxx"));
  CHECK(p.line() == "NOTE more was said and is left out");
  CHECK(p.line() == "OK");
}

TEST_CASE("a framing error is told even to a peer that is still writing") {
  host h;
  peer p(h);
  p.greet();
  p.say("NONSENSE\n" + std::string(3'000'000, 'x'));
  CHECK(p.line().starts_with("CLOSE "));
}

TEST_CASE("an offer that waited too long for a worker is told to come again") {
  limits bounds;
  bounds.line = 0ms;  // any wait is too long
  host h(with(bounds));
  peer p(h);
  p.greet();
  REQUIRE(p.say(offer()));
  CHECK(p.line() == "DEFER busy");
}
