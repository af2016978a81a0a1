// What a peer may do to a connection besides showing a certificate (docs/identity.md section 1).

#include "fixture.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace ima;
using namespace ima::test;

namespace {

const std::vector<certified>& chain_of(const std::string& domain) {
  static const std::vector<certified> a{make(domain_plan("a.example"), &root())};
  static const std::vector<certified> b{make(domain_plan("b.example"), &root())};
  return domain == "a.example" ? a : b;
}

struct connected {
  own_side side;
  tls::context with = tls::context::create(side.options).value();
  foreign_peer peer;
  met ours;

  explicit connected(bool serving)
      : peer({.serving = serving, .chain = chain_of(serving ? "b.example" : "a.example")}),
        ours(serving ? call(with, peer, "b.example") : serve(with, peer)) {
    REQUIRE(ours.ours.handshake_done());
    REQUIRE(ours.rule.empty());
  }
};

// The rule under which our server refuses this client.
std::string refusal_of(const foreign_peer_options& hello) {
  static own_side side;
  foreign_peer client(hello);
  const met m = serve(tls::context::create(side.options).value(), client);
  CHECK(m.ours.handshake_done() == m.rule.empty());
  return m.rule;
}

std::string refusal_of_name(const std::string& server_name) {
  return refusal_of({.chain = chain_of("a.example"), .server_name = server_name});
}

std::string refusal_of_words(const std::string& alpn) {
  return refusal_of({.chain = chain_of("a.example"), .alpn = alpn});
}

// A change of keys, or a ticket, of which the peer then sends many.
using late_message = void (*)(SSL*);
void change_keys(SSL* ssl) { SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED); }
void give_ticket(SSL* ssl) { SSL_new_session_ticket(ssl); }

void send_many(connected& c, late_message message, int count) {
  for (int i = 0; i < count; ++i) {
    message(c.peer.ssl());
    SSL_do_handshake(c.peer.ssl());
    run(c.ours, c.peer);
  }
}

}  // namespace

TEST_CASE("a server refuses a client that leaves out what the connection needs") {
  const auto chain = chain_of("a.example");
  CHECK(refusal_of({.chain = chain}) == "");
  CHECK(refusal_of({.chain = chain, .version = TLS1_2_VERSION}) == "tls-version");
  CHECK(refusal_of({}) == "certificate-missing");
}

TEST_CASE("a server takes the hostpart of SNI as it stands on the wire and nothing like it") {
  CHECK(refusal_of_name("b.example") == "");
  for (const char* name : {"", "B.example", "b.example.", "c.example", "m.b.example", "192.0.2.1"})
    CHECK_MESSAGE(refusal_of_name(name) == "tls-sni", name);
}

TEST_CASE("a wildcard of the server's covers no name that is none") {
  own_side side;
  side.add("*.w.example");
  const auto with = tls::context::create(side.options).value();
  const auto rule_for = [&](const std::string& name) {
    foreign_peer client({.chain = chain_of("a.example"), .server_name = name});
    return serve(with, client).rule;
  };
  CHECK(rule_for("m.w.example") == "");
  for (const char* name : {"M.w.example", "m m.w.example", "*.w.example", "-.w.example",
                           "m\n.w.example", "\xc3\xbc.w.example"})
    CHECK_MESSAGE(rule_for(name) == "tls-sni", name);
}

TEST_CASE("a server finds its protocol among a client's words, whole") {
  CHECK(refusal_of_words("\x02h2\x04imdp\x08http/1.1") == "");
  CHECK(refusal_of_words("\x02h2\x04imrp") == "tls-alpn");
  CHECK(refusal_of_words("\x05imdpx\x03imd\x04IMDP") == "tls-alpn");
  CHECK(refusal_of_words("") == "tls-alpn");
}

TEST_CASE("a client that is answered without its protocol shows no certificate and closes") {
  own_side side;
  const auto with = tls::context::create(side.options).value();
  for (const std::string word : {"", "\x04imrp"}) {
    CAPTURE(word);
    foreign_peer server({.serving = true, .chain = chain_of("b.example"), .alpn = word});
    const met m = call(with, server, "b.example");
    CHECK_FALSE(m.ours.handshake_done());
    CHECK(m.rule == (word.empty() ? "tls-alpn" : "tls-handshake"));  // OpenSSL's own check
    CHECK(SSL_get0_peer_certificate(server.ssl()) == nullptr);
  }
}

TEST_CASE("a few changes of keys and tickets go by unseen, a flood of them ends the connection") {
  struct row {
    const char* name;
    bool serving;
    late_message message;
  };
  for (const row& r :
       {row{"keys of a client", false, change_keys}, row{"keys of a server", true, change_keys},
        row{"tickets of a server", true, give_ticket}}) {
    CAPTURE(r.name);
    connected c(r.serving);
    send_many(c, r.message, 50);
    CHECK(c.ours.rule.empty());
    CHECK(c.ours.ours.write("still here"));
    run(c.ours, c.peer);
    CHECK(c.peer.got == "still here");
    send_many(c, r.message, 100);
    CHECK(c.ours.rule == "tls-flood");
  }
}

TEST_CASE("after the peer's close we may still say something, and hear nothing more") {
  connected c(false);
  SSL_write(c.peer.ssl(), "the end", 7);
  SSL_shutdown(c.peer.ssl());
  run(c.ours, c.peer);
  CHECK(c.ours.got == "the end");
  CHECK(c.ours.ours.closed());
  CHECK(c.ours.rule.empty());
  {
    const auto gone = std::make_unique<std::string>(1000, 'x');  // no TLS, and freed at once
    c.ours.ours.receive(*gone);
    read_all(c.ours);
  }
  c.ours.ours.receive("more of it");
  read_all(c.ours);
  CHECK(c.ours.rule.empty());
  CHECK(c.ours.ours.write("goodbye"));
  c.ours.ours.shutdown();
  run(c.ours, c.peer);
  CHECK(c.peer.got == "goodbye");
  CHECK((SSL_get_shutdown(c.peer.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

TEST_CASE("octets that were given with the end of the handshake are not lost, nor kept in place") {
  own_side side;
  const auto with = tls::context::create(side.options).value();
  foreign_peer client({.chain = chain_of("a.example")});
  auto ours = tls::engine::server(with).value();
  char none = 0;
  const auto give = [&](std::string octets_of_it) {
    ours.receive(octets_of_it);
    CHECK(ours.read(&none, 0));
    octets_of_it.assign(octets_of_it.size(), 'x');  // they were only lent
  };
  give(client.exchange(""));
  const std::string flight(ours.pending_output());
  ours.sent(flight.size());
  std::string last = client.exchange(flight);
  SSL_write(client.ssl(), "early", 5);
  give(last + client.exchange(""));
  REQUIRE(ours.handshake_done());
  char buffer[100];
  const std::size_t count = ours.read(buffer, sizeof buffer).value();
  CHECK(std::string(buffer, count) == "early");
}

TEST_CASE("after a failure every call says the same, and what still comes is dropped") {
  own_side side;
  const auto with = tls::context::create(side.options).value();
  auto ours = tls::engine::server(with).value();
  ours.receive("GET / HTTP/1.1\r\n\r\n");
  char buffer[100];
  const error first = ours.read(buffer, sizeof buffer).error();
  CHECK(first.rule == "tls-handshake");
  ours.receive(std::string(1000, 'x'));
  CHECK(ours.read(buffer, sizeof buffer).error() == first);
  CHECK(ours.write("x").error() == first);
}

TEST_CASE("the moment when a chain ends is the first end in it, and each message is held to it") {
  own_side side;
  const auto with = tls::context::create(side.options).value();
  plan middle{.subject = {{"Middle"}}, .extensions = {"basicConstraints=critical,CA:TRUE"}};
  middle.to = std::chrono::hours(1);
  const certified authority = make(middle, &root());
  const certified leaf = make(domain_plan("a.example"), &authority);
  foreign_peer client({.chain = {leaf, authority}});
  const met m = serve(with, client);
  REQUIRE(m.ours.handshake_done());
  const tls::peer_facts& peer = m.ours.peer();
  const auto end = noon + std::chrono::hours(1);
  CHECK(peer.good_until == end);
  CHECK(peer.certificate->not_after > end);
  CHECK(tls::vouches_for(peer, "a.example", end - std::chrono::seconds(1)));
  CHECK(tls::vouches_for(peer, "a.example", end).error().rule == "certificate-expired");
  CHECK(tls::vouches_for(peer, "b.example", noon).error().rule == "identity");
  CHECK(tls::vouches_for({}, "a.example", noon).error().rule == "certificate-chain");
}

TEST_CASE("a certificate of our own that OpenSSL would not use is refused when it is read") {
  own_side side;
  plan weak = domain_plan("w.example");
  weak.key_kind = "RSA-1024";
  const certified c = make(weak, &root());
  side.options.credentials.push_back(
      {side.files.write("w.pem", pem_of(c)), side.files.write("w.key", key_pem_of(c))});
  const auto made = tls::context::create(side.options);
  REQUIRE_FALSE(made);
  CHECK(made.error().rule == "certificate-file");
  CHECK(made.error().place == side.files.path("w.pem"));
}

TEST_CASE("files that do not hold what they should are refused with their name") {
  struct row {
    std::string chain;
    std::string key;
    std::string rule;
  };
  own_side side;
  const std::string good = side.files.path("a.example.pem");
  const std::string good_key = side.files.path("a.example.key");
  const std::string text = pem_of(chain_of("a.example"));
  const std::string cut = side.files.write("cut.pem", text + text.substr(0, text.size() / 2));
  for (const row& r :
       {row{side.files.path("none"), good_key, "certificate-file"},
        row{good_key, good_key, "certificate-file"}, row{cut, good_key, "certificate-file"},
        row{good, side.files.path("none"), "key-file"}, row{good, good, "key-file"},
        row{good, side.files.path("b.example.key"), "key-file"}}) {
    CAPTURE(r.chain);
    CAPTURE(r.key);
    tls::context_options options = side.options;
    options.credentials = {{r.chain, r.key}};
    const auto made = tls::context::create(options);
    REQUIRE_FALSE(made);
    CHECK(made.error().rule == r.rule);
    CHECK(made.error().place == (r.rule == "key-file" ? r.key : r.chain));
    CHECK(!made.error().text.empty());
  }
}
