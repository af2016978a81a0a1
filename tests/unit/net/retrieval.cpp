#include "../retrieval/memory_mail.hpp"
#include "authority.hpp"

#include <ima/net/retrieval_client.hpp>
#include <ima/net/retrieval_server.hpp>

#include <doctest/doctest.h>

#include <string>
#include <thread>
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

  office() : server(make(users)), thread([this] { server.run(); }) {}
  office(const office&) = delete;
  office& operator=(const office&) = delete;
  ~office() {
    server.stop();
    thread.join();
  }

  static net::retrieval_server make(authenticator& users) {
    net::retrieval_server_options options;
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

TEST_CASE("a server that stops lets go of idle clients") {
  auto o = std::make_unique<office>();
  auto client = o->connect();
  REQUIRE(client);
  REQUIRE(client->authenticate("bob", "swordfish"));
  o.reset();
  CHECK_FALSE(client->folders());
}
