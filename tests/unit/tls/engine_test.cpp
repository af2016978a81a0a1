#include "authority.hpp"

#include <ima/tls/engine.hpp>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <fstream>
#include <memory>
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

TEST_CASE("a chain that does not verify ends the handshake under the rule's word") {
  need_domains();
  struct row {
    std::string name;
    std::string subject;
    std::string extensions;
    std::string options;
    std::string rule;
  };
  const std::string san = "subjectAltName=DNS:a.example";
  const std::vector<row> rows{
      {"expired", "/CN=x", san, "-days -1", "certificate-expired"},
      {"code-signing", "/CN=x", san + "\nextendedKeyUsage=codeSigning", "-days 2",
       "certificate-purpose"},
      {"authority", "/CN=x", san + "\nbasicConstraints=CA:TRUE", "-days 2",
       "certificate-authority"},
  };
  for (const row& r : rows) {
    CAPTURE(r.name);
    ca().issue(r.name, r.subject, r.extensions, r.options);
    const outcome got = shake(options_for(r.name), options_for("b.example"));
    CHECK(got.server == r.rule);
    CHECK(got.client == "tls-alert");
  }
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

TEST_CASE("what is no TLS is refused") {
  need_domains();
  const auto sc = context::create(options_for("b.example")).value();
  side s{engine::server(sc).value(), "", ""};
  s.take("GET / HTTP/1.1\r\n\r\n", 3);
  CHECK(s.rule == "tls-handshake");
}

TEST_CASE("which names of a certificate prove a domain") {
  struct row {
    std::string subject;
    std::string extensions;
    std::string domain;
    bool good;
  };
  const std::vector<row> rows{
      {"/CN=x", "subjectAltName=DNS:a.example", "a.example", true},
      {"/CN=x", "subjectAltName=DNS:A.Example", "a.example", true},
      {"/CN=x", "subjectAltName=DNS:b.example,DNS:a.example", "a.example", true},
      {"/CN=a.example", "", "a.example", true},
      {"/CN=a.example", "subjectAltName=DNS:b.example", "a.example", false},
      {"/CN=a.example", "subjectAltName=IP:127.0.0.1", "a.example", false},
      {"/CN=a.example", "subjectAltName=email:x@a.example", "a.example", false},
      {"/CN=a.example/CN=b.example", "", "a.example", false},
      {"/CN=x", "subjectAltName=DNS:*.a.example", "m.a.example", true},
      {"/CN=x", "subjectAltName=DNS:*.a.example", "a.example", false},
      {"/CN=x", "subjectAltName=DNS:*.a.example", "x.m.a.example", false},
      {"/CN=x", "subjectAltName=DNS:m*.a.example", "mm.a.example", false},
      {"/CN=x", "subjectAltName=DNS:*.example", "a.example", false},
      {"/CN=x", "subjectAltName=DNS:a.example.", "a.example", false},
      {"/CN=x", "subjectAltName=DNS:127.0.0.1", "127.0.0.1", false},
      {"/CN=127.0.0.1", "", "127.0.0.1", false},
      {"/CN=Alice Example", "", "alice", false},
  };
  int number = 0;
  for (const row& r : rows) {
    CAPTURE(r.subject);
    CAPTURE(r.extensions);
    const std::string name = "names" + std::to_string(number++);
    ca().issue(name, r.subject, r.extensions);
    std::ifstream file(ca().path(name + ".pem"));
    std::stringstream pem;
    pem << file.rdbuf();
    const auto facts = ima::tls::read_certificate(pem.str()).value();
    const auto proved = ima::tls::proves(facts, r.domain);
    CHECK(proved.has_value() == r.good);
    if (!proved) CHECK(proved.error().rule == "identity");
  }
}

namespace {

context_options trusting(const ima::test::authority& who, const std::string& name = "") {
  context_options o;
  o.system_store = false;
  o.ca_file = who.ca_file();
  if (!name.empty()) o.credentials.push_back({who.path(name + ".pem"), who.path(name + ".key")});
  return o;
}

// b.example as a server of the common authority that trusts only `who`.
context_options server_trusting(const ima::test::authority& who) {
  auto o = options_for("b.example");
  o.ca_file = who.ca_file();
  return o;
}

context_options client_of(const ima::test::authority& who, const std::string& name) {
  auto o = trusting(who, name);
  o.ca_file = ca().ca_file();
  return o;
}

// A client that is not ours, to do what ours never does: it speaks up to `version`, and leaves out
// what is empty.
struct foreign_hello {
  int version = TLS1_3_VERSION;
  std::string server_name = "b.example";
  std::string alpn = std::string("\x04imdp");
};

std::string drain(BIO* from) {
  std::string out(BIO_ctrl_pending(from), '\0');
  if (!out.empty()) BIO_read(from, out.data(), static_cast<int>(out.size()));
  return out;
}

// The rule under which our server refuses that client.
std::string refusal_of(const foreign_hello& hello) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> with(SSL_CTX_new(TLS_client_method()),
                                                               SSL_CTX_free);
  SSL_CTX_set_max_proto_version(with.get(), hello.version);
  const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(with.get()), SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), in, out);
  // The macro for this call hides an old-style cast.
  std::string name = hello.server_name;
  if (!name.empty())
    SSL_ctrl(client.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  if (!hello.alpn.empty())
    SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(hello.alpn.data()),
                        static_cast<unsigned int>(hello.alpn.size()));
  side s{engine::server(context::create(options_for("b.example")).value()).value(), "", ""};
  for (int round = 0; round < 4 && s.rule.empty(); ++round) {
    SSL_connect(client.get());
    s.take(drain(out), 100'000);
    const std::string answer(s.tls.pending_output());
    s.tls.sent(answer.size());
    BIO_write(in, answer.data(), static_cast<int>(answer.size()));
  }
  CHECK(!s.tls.handshake_done());
  return s.rule;
}

}  // namespace

TEST_CASE("a server refuses a client that leaves out what the connection needs") {
  need_domains();
  CHECK(refusal_of({TLS1_2_VERSION, "b.example", "\x04imdp"}) == "tls-handshake");
  CHECK(refusal_of({TLS1_3_VERSION, "b.example", ""}) == "tls-alpn");
  CHECK(refusal_of({TLS1_3_VERSION, "", "\x04imdp"}) == "tls-sni");
  CHECK(refusal_of({TLS1_3_VERSION, "B.example", "\x04imdp"}) == "tls-sni");
  CHECK(refusal_of({}) == "tls-handshake");  // all is well but for the client's certificate
}

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

TEST_CASE("an authority with a weak key, or one bound to other names, is refused") {
  need_domains();
  const ima::test::authority weak;
  weak.run(
      "openssl req -x509 -newkey rsa:1024 -nodes -days 2 -subj /CN=w -keyout ca.key -out ca.pem");
  weak.issue_domain("a.example");
  CHECK(shake(client_of(weak, "a.example"), server_trusting(weak)).server == "certificate-weak");
  const ima::test::authority bound;
  bound.run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=n "
      "-addext 'nameConstraints=critical,permitted;DNS:b.example' -keyout ca.key -out ca.pem");
  bound.issue_domain("a.example");
  CHECK(shake(client_of(bound, "a.example"), server_trusting(bound)).server ==
        "certificate-constraint");
}

TEST_CASE("a chain needs its intermediate certificate") {
  need_domains();
  const ima::test::authority root;
  root.issue("middle", "/CN=middle", "basicConstraints=critical,CA:TRUE");
  root.run("cp ca.pem root.pem && cp middle.pem ca.pem && cp middle.key ca.key");
  root.issue_domain("a.example");
  root.run("cp root.pem ca.pem");
  CHECK(shake(client_of(root, "a.example"), server_trusting(root)).server == "certificate-issuer");
  root.run("(cat middle.pem >>a.example.pem)");
  CHECK(shake(client_of(root, "a.example"), server_trusting(root)).done);
}

TEST_CASE("a revocation list is asked for the leaf, and must be there for its issuer") {
  need_domains();
  const ima::test::authority own;
  // Under a name of its own: lists are found by their issuer's name.
  own.run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Own "
      "-keyout ca.key -out ca.pem");
  own.issue_domain("a.example");
  own.issue_domain("c.example");
  own.run(
      "(printf '[ca]\\ndefault_ca=c\\n[c]\\ndatabase=index\\ndefault_md=sha256\\n' >ca.cnf && "
      ">index && openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke a.example.pem && "
      "openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -crldays 2 -out crl.pem)");
  auto server = server_trusting(own);
  server.crl_file = own.path("crl.pem");
  CHECK(shake(client_of(own, "a.example"), server).server == "certificate-revoked");
  CHECK(shake(client_of(own, "c.example"), server, "b.example", "c.example").done);
  server.ca_file = ca().ca_file();  // whose list is not in the file
  CHECK(shake(options_for("a.example"), server).server == "certificate-revocation");
}
