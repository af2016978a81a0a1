// Which names of a certificate prove a domain (docs/identity.md section 2), and where OpenSSL's own
// check of a host would decide otherwise.

#include "fixture.hpp"

#include <ima/tls/explain.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ima;
using namespace ima::test;

namespace {

enum class openssl { agrees, differs };

struct row {
  std::string name;
  plan made;
  bool proved;
  openssl host_check = openssl::agrees;
  std::string domain = "a.example";
};

plan with_san(const std::string& words) { return {.extensions = {"subjectAltName=" + words}}; }

plan with_octets(const std::string& name) {
  return {.raw = {{"2.5.29.17", dns_names({name}), false}}};
}

plan with_cn(const std::string& name, int type = V_ASN1_UTF8STRING) {
  return {.subject = {{name, type}}};
}

plan cn_beside(const std::string& words) {
  return {.subject = {{"a.example"}}, .extensions = {"subjectAltName=" + words}};
}

// 16 and 32 bits for each character, most significant octet first.
std::string wide(const std::string& text, std::size_t size) {
  std::string out;
  for (const char c : text) out += std::string(size - 1, '\0') + c;
  return out;
}

std::string many_names(std::size_t count) {
  std::string words;
  for (std::size_t i = 0; i < count; ++i) words += "DNS:n" + std::to_string(i) + ".example,";
  return words + "DNS:a.example";
}

std::string with_nul(const std::string& before, const std::string& behind) {
  return before + std::string(1, '\0') + behind;
}

const std::vector<row>& rows() {
  static const std::vector<row> made{
      // dNSNames
      {"a dNSName", with_san("DNS:a.example"), true},
      {"in capitals", with_san("DNS:A.EXAMPLE"), true},
      {"the second of two", with_san("DNS:b.example,DNS:a.example"), true},
      {"beside an address", with_san("IP:192.0.2.1,DNS:a.example"), true},
      {"the last of three thousand", with_san(many_names(3000)), true},
      {"none of three thousand", with_san(many_names(3000)), false, openssl::agrees, "c.example"},
      {"another", with_san("DNS:b.example"), false},
      {"its parent", with_san("DNS:example"), false},
      {"its child", with_san("DNS:m.a.example"), false},
      {"an ending of it", with_octets(".a.example"), false},
      {"with a dot at its end", with_octets("a.example."), false},
      {"with an empty label", with_octets("a..example"), false, openssl::agrees},
      {"with a space at its end", with_octets("a.example "), false},
      {"with a NUL behind", with_octets(with_nul("a.example", ".b.example")), false},
      {"with a NUL at its end", with_octets(with_nul("a.example", "")), false},
      {"with a control octet", with_octets("a\x01.example"), false},
      {"empty", with_octets(""), false},
      {"an A-label", with_san("DNS:xn--bcher-kva.example"), true, openssl::agrees,
       "xn--bcher-kva.example"},
      {"a U-label",
       with_octets("b\xc3\xbc"
                   "cher.example"),
       false, openssl::agrees, "xn--bcher-kva.example"},
      {"a label of 64 octets", with_octets(std::string(64, 'a') + ".example"), false},
      {"with an underscore", with_octets("_a.example"), false},
      // Wildcards
      {"a wildcard", with_san("DNS:*.a.example"), true, openssl::agrees, "m.a.example"},
      {"a wildcard in capitals", with_san("DNS:*.A.Example"), true, openssl::agrees, "m.a.example"},
      {"a wildcard for an A-label", with_san("DNS:*.a.example"), true, openssl::agrees,
       "xn--bcher-kva.a.example"},
      {"a wildcard's own domain", with_san("DNS:*.a.example"), false},
      {"two labels under a wildcard", with_san("DNS:*.a.example"), false, openssl::agrees,
       "x.m.a.example"},
      {"a wildcard behind letters", with_san("DNS:m*.a.example"), false, openssl::differs,
       "mm.a.example"},
      {"a wildcard before letters", with_san("DNS:*m.a.example"), false, openssl::differs,
       "mm.a.example"},
      {"a wildcard that is not first", with_san("DNS:m.*.example"), false, openssl::agrees,
       "m.a.example"},
      {"two wildcards", with_san("DNS:*.*.example"), false, openssl::agrees, "m.a.example"},
      {"a wildcard over a top-level domain", with_san("DNS:*.example"), false},
      {"nothing but a wildcard", with_san("DNS:*"), false, openssl::agrees, "a"},
      {"a wildcard before a broken name", with_octets("*.a..example"), false, openssl::agrees,
       "m.a.example"},
      // The commonName
      {"a commonName", with_cn("a.example"), true},
      {"a commonName in capitals", with_cn("A.Example"), true},
      {"a commonName as PrintableString", with_cn("a.example", V_ASN1_PRINTABLESTRING), true},
      {"a commonName as T61String", with_cn("a.example", V_ASN1_T61STRING), true},
      {"a commonName as BMPString", with_cn(wide("a.example", 2), V_ASN1_BMPSTRING), true},
      {"a commonName as UniversalString", with_cn(wide("a.example", 4), V_ASN1_UNIVERSALSTRING),
       true},
      {"a commonName whose BMPString would be another in octets",
       with_cn(wide("a.example", 2), V_ASN1_UTF8STRING), false},
      {"another commonName", with_cn("b.example"), false},
      {"a commonName that is a person's", with_cn("Alice Example"), false},
      {"a commonName with a NUL behind", with_cn(with_nul("a.example", ".b.example")), false},
      {"a commonName with a NUL at its end", with_cn(with_nul("a.example", "")), false},
      {"a commonName with a dot at its end", with_cn("a.example."), false},
      {"a commonName with a wildcard", with_cn("*.a.example"), false, openssl::differs,
       "m.a.example"},
      {"a commonName of one label", with_cn("a"), false, openssl::differs, "a"},
      {"a commonName with a U-label",
       with_cn("b\xc3\xbc"
               "cher.example"),
       false, openssl::agrees, "xn--bcher-kva.example"},
      {"no commonName", {.subject = {{"a.example", V_ASN1_UTF8STRING, "O"}}}, false},
      {"two commonNames", {.subject = {{"a.example"}, {"b.example"}}}, false, openssl::differs},
      {"two commonNames the other way",
       {.subject = {{"b.example"}, {"a.example"}}},
       false,
       openssl::differs},
      {"the same commonName twice",
       {.subject = {{"a.example"}, {"a.example"}}},
       false,
       openssl::differs},
      // The commonName beside a subjectAltName
      {"beside another dNSName", cn_beside("DNS:b.example"), false},
      {"beside an IP address", cn_beside("IP:127.0.0.1"), false, openssl::differs},
      {"beside an e-mail address", cn_beside("email:x@a.example"), false, openssl::differs},
      {"beside a URI", cn_beside("URI:https://a.example/"), false, openssl::differs},
      {"beside a registered ID", cn_beside("RID:1.2.3.4"), false, openssl::differs},
      {"beside an extension without names",
       {.subject = {{"a.example"}}, .raw = {{"2.5.29.17", std::string("\x30\x00", 2), false}}},
       false,
       openssl::differs},
      {"beside one that cannot be read",
       {.subject = {{"a.example"}}, .raw = {{"2.5.29.17", "\x30\x05garb", false}}},
       false,
       openssl::differs},
      {"beside a broken dNSName",
       {.subject = {{"a.example"}}, .raw = {{"2.5.29.17", dns_names({"a b"}), false}}},
       false},
  };
  return made;
}

bool openssl_says(const certified& c, const std::string& domain) {
  return X509_check_host(c.certificate.get(), domain.data(), domain.size(), 0, nullptr) == 1;
}

// As a server to a client of ours, which judges all of it in the handshake.
bool proved_in_handshake(const tls::context& with, const certified& c, const std::string& domain) {
  foreign_peer server({.serving = true, .chain = {c}});
  return call(with, server, domain).ours.handshake_done();
}

// As a client to a server of ours, which judges the domain with each message.
bool proved_by_message(const tls::context& with, const certified& c, const std::string& domain) {
  foreign_peer client({.chain = {c}});
  const met m = serve(with, client);
  return tls::vouches_for(m.ours.peer(), domain, noon).has_value();
}

}  // namespace

TEST_CASE("which names of a certificate prove a domain, and where OpenSSL's own check differs") {
  own_side side;
  const auto with = tls::context::create(side.options).value();
  for (const row& r : rows()) {
    CAPTURE(r.name);
    const certified c = make(r.made, &root());
    const auto facts = tls::read_certificate(pem_of(c)).value();
    const auto proved = tls::proves(facts, r.domain);
    CHECK(proved.has_value() == r.proved);
    if (!proved) {
      CHECK(proved.error().rule == "identity");
      CHECK(proved.error().text.size() < 1000);
    }
    CHECK((openssl_says(c, r.domain) == r.proved) == (r.host_check == openssl::agrees));
    CHECK(proved_in_handshake(with, c, r.domain) == r.proved);
    CHECK(proved_by_message(with, c, r.domain) == r.proved);
    for (const auto role : {tls::peer_role::client, tls::peer_role::server})
      CHECK(!tls::explain(with, pem_of(c), r.domain, role).value().refused.has_value() == r.proved);
  }
}

TEST_CASE("an IP address is no hostpart, so no certificate proves it") {
  own_side side;
  const auto with = tls::context::create(side.options).value();
  const certified c = make(with_san("IP:127.0.0.1,DNS:127.0.0.1"), &root());
  CHECK(tls::read_certificate(pem_of(c)).value().names.empty());
  CHECK(tls::explain(with, pem_of(c), "127.0.0.1", tls::peer_role::server).error().rule ==
        "hostpart");
  CHECK(tls::engine::client(with, "127.0.0.1", "a.example").error().rule == "hostpart");
}

TEST_CASE("a commonName proves nothing where the setting says never") {
  own_side side;
  side.options.names = tls::common_name::never;
  const auto with = tls::context::create(side.options).value();
  const certified by_cn = make(with_cn("a.example"), &root());
  CHECK_FALSE(proved_in_handshake(with, by_cn, "a.example"));
  CHECK_FALSE(proved_by_message(with, by_cn, "a.example"));
  CHECK(tls::explain(with, pem_of(by_cn), "a.example", tls::peer_role::client)
            .value()
            .refused->rule == "identity");
  CHECK(proved_in_handshake(with, make(with_san("DNS:a.example"), &root()), "a.example"));
}

TEST_CASE("a refusal shows some of the names, not thousands") {
  const certified c = make(with_san(many_names(3000)), &root());
  const auto facts = tls::read_certificate(pem_of(c)).value();
  CHECK(facts.names.size() == 3001);
  const auto refused = tls::proves(facts, "c.example");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("n0.example") != std::string::npos);
  CHECK(refused.error().text.find("and 2991 more") != std::string::npos);
}
