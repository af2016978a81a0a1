#include "authority.hpp"

#include <ima/tls/engine.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using ima::tls::context;
using ima::tls::context_options;
using ima::tls::engine;
using ima::tls::protocol;

const ima::test::authority& ca() {
  static const ima::test::authority made;
  return made;
}

context_options options_for(const std::string& name, protocol inside = protocol::imdp) {
  context_options o;
  o.inside = inside;
  o.system_store = false;
  o.ca_file = ca().ca_file();
  if (!name.empty()) o.credentials.push_back({ca().path(name + ".pem"), ca().path(name + ".key")});
  return o;
}

// Certificates of the two domains, made once.
void need_domains() {
  static const bool made = [] {
    ca().issue_domain("a.example");
    ca().issue_domain("b.example");
    return true;
  }();
  CHECK(made);
}

struct side {
  engine tls;
  std::string got;
  std::string rule;

  // Gives what the other side sent, `step` octets at a time; notes what comes out.
  void take(std::string sent, std::size_t step) {
    for (std::size_t at = 0; at < sent.size(); at += step) {
      const std::string piece = sent.substr(at, step);
      tls.receive(piece);
      read();
    }
  }
  void read() {
    char buffer[4096];
    while (true) {
      auto n = tls.read(buffer, sizeof buffer);
      if (!n) {
        rule = n.error().rule;
        return;
      }
      if (*n == 0) return;
      got.append(buffer, *n);
    }
  }
};

// Moves octets between the two until neither has any left.
void run(side& c, side& s, std::size_t step = 100'000) {
  for (int round = 0; round < 20; ++round) {
    const std::string from_client(c.tls.pending_output());
    c.tls.sent(from_client.size());
    const std::string from_server(s.tls.pending_output());
    s.tls.sent(from_server.size());
    if (from_client.empty() && from_server.empty()) return;
    s.take(from_client, step);
    c.take(from_server, step);
  }
}

struct outcome {
  std::string client;
  std::string server;
  bool done = false;
};

// A whole handshake of a client that wants `host` as `sender` with these two contexts.
outcome shake(const context_options& client_side, const context_options& server_side,
              const std::string& host = "b.example", const std::string& sender = "a.example") {
  const auto cc = context::create(client_side).value();
  const auto sc = context::create(server_side).value();
  side c{engine::client(cc, host, sender).value(), "", ""};
  side s{engine::server(sc).value(), "", ""};
  run(c, s);
  return {c.rule, s.rule, c.tls.handshake_done() && s.tls.handshake_done()};
}

}  // namespace

TEST_CASE("two domains prove themselves and octets pass, whole and byte by byte") {
  need_domains();
  for (const std::size_t step : {std::size_t{1}, std::size_t{100'000}}) {
    const auto cc = context::create(options_for("a.example")).value();
    const auto sc = context::create(options_for("b.example")).value();
    side c{engine::client(cc, "b.example", "a.example").value(), "", ""};
    side s{engine::server(sc).value(), "", ""};
    run(c, s, step);
    REQUIRE(c.tls.handshake_done());
    REQUIRE(s.tls.handshake_done());
    CHECK(s.tls.peer().chain_verified);
    CHECK(s.tls.peer().server_name == "b.example");
    CHECK(ima::tls::proves(*s.tls.peer().certificate, "a.example"));
    CHECK(!ima::tls::proves(*s.tls.peer().certificate, "b.example"));
    const std::string large(100'000, 'x');
    CHECK(c.tls.write(large));
    CHECK(s.tls.write("hello"));
    s.tls.shutdown();
    run(c, s, step);
    CHECK(s.got == large);
    CHECK(c.got == "hello");
    CHECK(c.tls.closed());
    CHECK(c.rule.empty());
  }
}

TEST_CASE("a server that does not prove the recipient's hostpart is refused by the client") {
  need_domains();
  ca().issue("wrong", "/CN=wrong", "subjectAltName=DNS:c.example");
  // Served under b.example's name by a certificate that proves both, of which the client sees one.
  auto both = options_for("b.example");
  const outcome good = shake(options_for("a.example"), both);
  CHECK(good.done);
  const outcome sni = shake(options_for("a.example"), both, "c.example");
  CHECK(sni.server == "tls-sni");
  CHECK(sni.client == "tls-alert");
}

TEST_CASE("a stranger's authority, and one that signed itself, are refused on both sides") {
  need_domains();
  const ima::test::authority stranger;
  stranger.issue_domain("a.example");
  stranger.issue_domain("b.example");
  auto foreign = options_for("");
  foreign.credentials.push_back({stranger.path("a.example.pem"), stranger.path("a.example.key")});
  CHECK(shake(foreign, options_for("b.example")).server == "certificate-issuer");
  foreign.credentials = {{stranger.path("b.example.pem"), stranger.path("b.example.key")}};
  CHECK(shake(options_for("a.example"), foreign).client == "certificate-issuer");
  stranger.run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x "
      "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:a.example "
      "-keyout self.key -out self.pem");
  foreign.credentials = {{stranger.path("self.pem"), stranger.path("self.key")}};
  CHECK(shake(foreign, options_for("b.example")).server == "certificate-self-signed");
}

TEST_CASE("clientAuth alone is enough for a sender of our own authority and never for a server") {
  need_domains();
  ca().issue("client-only", "/CN=x", "subjectAltName=DNS:a.example\nextendedKeyUsage=clientAuth");
  CHECK(shake(options_for("client-only"), options_for("b.example")).done);
  ca().issue("client-b", "/CN=x", "subjectAltName=DNS:b.example\nextendedKeyUsage=clientAuth");
  CHECK(shake(options_for("a.example"), options_for("client-b")).client == "certificate-purpose");
}

TEST_CASE("the wrong protocol word ends the handshake") {
  need_domains();
  const outcome got = shake(options_for("a.example"), options_for("b.example", protocol::imrp));
  CHECK(got.server == "tls-alpn");
  CHECK(got.client == "tls-alert");
}

TEST_CASE("a connection cut off is told from one that was closed") {
  need_domains();
  const auto cc = context::create(options_for("a.example")).value();
  const auto sc = context::create(options_for("b.example")).value();
  side c{engine::client(cc, "b.example", "a.example").value(), "", ""};
  side s{engine::server(sc).value(), "", ""};
  run(c, s);
  s.tls.receive_eof();
  s.read();
  CHECK(s.rule == "tls-truncated");
}

TEST_CASE("whoever said that he sends no more sends no more, and goes on hearing") {
  need_domains();
  const auto cc = context::create(options_for("a.example")).value();
  const auto sc = context::create(options_for("b.example")).value();
  side c{engine::client(cc, "b.example", "a.example").value(), "", ""};
  side s{engine::server(sc).value(), "", ""};
  run(c, s);
  c.tls.shutdown();
  const auto late = c.tls.write("late");
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ima::fault::caller);
  CHECK(late.error().rule == "out-of-turn");
  REQUIRE(s.tls.write("hello"));
  run(c, s);
  CHECK(c.got == "hello");
  CHECK(c.rule.empty());
}

TEST_CASE("what is no TLS is refused") {
  need_domains();
  const auto sc = context::create(options_for("b.example")).value();
  side s{engine::server(sc).value(), "", ""};
  s.take("GET / HTTP/1.1\r\n\r\n", 3);
  CHECK(s.rule == "tls-handshake");
}

namespace {

// A client of the common authority's servers that shows a certificate of another authority.
context_options client_of(const ima::test::authority& who, const std::string& name) {
  auto o = options_for("");
  if (!name.empty()) o.credentials.push_back({who.path(name + ".pem"), who.path(name + ".key")});
  return o;
}

}  // namespace

TEST_CASE("an IMDP client without a certificate of the sender's domain does not connect") {
  need_domains();
  const auto with = context::create(options_for("a.example")).value();
  const auto made = engine::client(with, "b.example", "c.example");
  REQUIRE(!made);
  CHECK(made.error().rule == "no-certificate");
}

TEST_CASE("an IMRP client may show no certificate, or one that does not verify") {
  need_domains();
  const ima::test::authority stranger;
  stranger.issue_domain("a.example");
  const auto sc = context::create(options_for("b.example", protocol::imrp)).value();
  for (const bool shown : {false, true}) {
    auto options = client_of(stranger, shown ? "a.example" : "");
    options.inside = protocol::imrp;
    const auto cc = context::create(options).value();
    side c{engine::client(cc, "b.example", shown ? "a.example" : "").value(), "", ""};
    side s{engine::server(sc).value(), "", ""};
    run(c, s);
    REQUIRE(s.tls.handshake_done());
    CHECK(s.tls.peer().certificate.has_value() == shown);
    CHECK(!s.tls.peer().chain_verified);
    if (shown) CHECK(s.tls.peer().chain_problem.value().rule == "certificate-issuer");
  }
}

TEST_CASE("the time of the verification decides about validity") {
  need_domains();
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  auto late = options_for("b.example");
  late.now = now + std::chrono::hours(72);
  CHECK(shake(options_for("a.example"), late).server == "certificate-expired");
  auto early = options_for("b.example");
  early.now = now - std::chrono::hours(72);
  CHECK(shake(options_for("a.example"), early).server == "certificate-not-yet-valid");
}
