// Which chain proves which domain (docs/identity.md sections 2 and 3): every case through real
// handshakes, with the peer as client and as server, and through explain().

#include "fixture.hpp"

#include <ima/tls/explain.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace ima;
using namespace ima::test;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

using chain = std::vector<certified>;

// What a row may change of our side.
using setting = std::function<void(own_side&)>;

struct row {
  std::string name;
  std::function<chain()> made;
  std::string as_client;  // the rule of the refusal; empty: proved
  std::string as_server;
  std::string domain = "a.example";
  setting set = [](own_side&) {};
};

void check_handshakes(const row& r, const tls::context& with, const chain& shown) {
  foreign_peer client({.chain = shown});
  const met as_client = serve(with, client);
  std::string rule = as_client.rule;
  if (rule.empty())
    if (const auto good = tls::vouches_for(as_client.ours.peer(), r.domain, noon); !good)
      rule = good.error().rule;
  CHECK_MESSAGE(rule == r.as_client, as_client.text);
  foreign_peer server({.serving = true, .chain = shown});
  const met as_server = call(with, server, r.domain);
  CHECK_MESSAGE(as_server.rule == r.as_server, as_server.text);
  CHECK(as_server.ours.handshake_done() == r.as_server.empty());
}

void check_explanation(const tls::context& with, const chain& shown, const row& r,
                       tls::peer_role role, const std::string& rule) {
  const auto told = tls::explain(with, pem_of(shown), r.domain, role).value();
  CHECK((told.refused ? std::string(told.refused->rule) : "") == rule);
  const auto step = std::find_if(told.steps.begin(), told.steps.end(), [&](const tls::step& s) {
    return s.rule == (rule.empty() ? "identity" : rule) &&
           s.what == (rule.empty() ? tls::step::verdict::good : tls::step::verdict::bad);
  });
  CHECK((step != told.steps.end()));
}

void check_rows(const std::vector<row>& rows) {
  for (const row& r : rows) {
    CAPTURE(r.name);
    own_side side;
    r.set(side);
    const auto with = tls::context::create(side.options).value();
    const chain shown = r.made();
    check_handshakes(r, with, shown);
    check_explanation(with, shown, r, tls::peer_role::client, r.as_client);
    check_explanation(with, shown, r, tls::peer_role::server, r.as_server);
  }
}

// A leaf of the root, or of another issuer whose chain is shown behind it.
std::function<chain()> leaf(const plan& p) {
  return [p] { return chain{make(p, &root())}; };
}

plan good_plan() { return domain_plan("a.example"); }

plan with_words(const std::vector<std::string>& words) {
  plan p{.extensions = {"subjectAltName=DNS:a.example"}};
  p.extensions.insert(p.extensions.end(), words.begin(), words.end());
  return p;
}

plan authority_plan(const std::string& name) {
  return {
      .subject = {{name}}, .extensions = {"basicConstraints=critical,CA:TRUE"}, .key_number = 50};
}

// A leaf issued by an intermediate authority made of `middle`; both are shown.
std::function<chain()> below(const plan& middle, const plan& p) {
  return [middle, p] {
    const certified authority = make(middle, &root());
    return chain{make(p, &authority), authority};
  };
}

plan changed(plan p, const std::function<void(plan&)>& change) {
  change(p);
  return p;
}

constexpr const char* unknown_oid = "1.3.6.1.4.1.55555.1";

}  // namespace

TEST_CASE("whether the validity of a chain is looked at") {
  const auto valid = [](seconds from, seconds to) {
    return changed(good_plan(), [=](plan& p) { p.from = from, p.to = to; });
  };
  const auto middle = [](seconds from, seconds to) {
    return changed(authority_plan("Middle"), [=](plan& p) { p.from = from, p.to = to; });
  };
  const auto old_root = [](own_side& s) { s.options.now = noon + hours(24 * 31); };
  check_rows({
      {"in the middle of its time", leaf(valid(-hours(1), hours(1))), "", ""},
      {"it ends this second", leaf(valid(-hours(1), seconds(0))), "certificate-expired",
       "certificate-expired"},
      {"it ends in a second", leaf(valid(-hours(1), seconds(1))), "", ""},
      {"it begins this second", leaf(valid(seconds(0), hours(1))), "", ""},
      {"it begins in a second", leaf(valid(seconds(1), hours(1))), "certificate-not-yet-valid",
       "certificate-not-yet-valid"},
      {"its authority's time is over", below(middle(-hours(2), -hours(1)), good_plan()),
       "certificate-expired", "certificate-expired"},
      {"its authority's time has not begun", below(middle(hours(1), hours(2)), good_plan()),
       "certificate-not-yet-valid", "certificate-not-yet-valid"},
      {"the root's time is over", leaf(valid(-hours(1), hours(24 * 60))), "certificate-expired",
       "certificate-expired", "a.example", old_root},
  });
}

TEST_CASE("whether a chain leads to an authority") {
  const auto stranger = [] {
    static const certified made = make_root("Stranger", 1);
    return made;
  };
  const auto double_of_root = [] {
    static const certified made = make_root("Test Root", 2);
    return made;
  };
  const auto own_leaf = [](const std::string& basic) {
    return make({.extensions = {"subjectAltName=DNS:a.example", "basicConstraints=" + basic}});
  };
  const auto trust_leaf = [=](own_side& s) {
    s.options.ca_file = s.files.write("ca.pem", pem_of(own_leaf("critical,CA:FALSE")));
  };
  const auto trust_nobody = [](own_side& s) { s.options.ca_file.clear(); };
  static const certified middle = make(authority_plan("Middle"), &root());
  const auto trust_middle = [](own_side& s) {
    s.options.ca_file = s.files.write("ca.pem", pem_of(middle));
  };
  const auto short_path = [] {
    const certified first = make({.subject = {{"Short"}},
                                  .extensions = {"basicConstraints=critical,CA:TRUE,pathlen:0"},
                                  .key_number = 51},
                                 &root());
    const certified second = make(authority_plan("Second"), &first);
    return chain{make(good_plan(), &second), second, first};
  };
  const auto forged = [] {
    const certified real = make(good_plan(), &root());
    X509_sign(real.certificate.get(), key_of("P-256", 77).get(), EVP_sha256());
    return chain{real};
  };
  const auto unmarked = [](const std::vector<std::string>& words, long version) {
    return below({.subject = {{"Unmarked"}}, .extensions = words, .version = version}, good_plan());
  };
  const std::string issuer = "certificate-issuer";
  check_rows({
      {"an authority between", below(authority_plan("Middle"), good_plan()), "", ""},
      {"the authority between is missing", [] { return chain{make(good_plan(), &middle)}; }, issuer,
       issuer},
      {"the root is shown, too",
       [] {
         return chain{make(good_plan(), &middle), middle, root()};
       },
       "", ""},
      {"in another order, with others between",
       [=] {
         return chain{make(good_plan(), &middle), root(), stranger(), middle, middle};
       },
       "", ""},
      {"a stranger's authority",
       [=] {
         const certified by = stranger();
         return chain{make(good_plan(), &by), by};
       },
       issuer, issuer},
      {"another authority of the same name",
       [=] {
         const certified by = double_of_root();
         return chain{make(good_plan(), &by), by};
       },
       "certificate-signature", "certificate-signature"},
      {"another authority of the same name, whose key it names",
       [=] {
         const certified by = double_of_root();
         return chain{make(with_words({"authorityKeyIdentifier=keyid:always"}), &by), by};
       },
       issuer, issuer},
      {"only the authority between is trusted",
       [] {
         return chain{make(good_plan(), &middle), middle};
       },
       issuer, issuer, "a.example", trust_middle},
      {"nobody is trusted", leaf(good_plan()), issuer, issuer, "a.example", trust_nobody},
      {"the authority between is none", unmarked({"basicConstraints=critical,CA:FALSE"}, 2), issuer,
       issuer},
      {"the authority between does not say that it is one", unmarked({}, 2), issuer, issuer},
      {"the authority between is of version 1", unmarked({}, 0), issuer, issuer},
      {"the authority between may not sign certificates",
       unmarked({"basicConstraints=critical,CA:TRUE", "keyUsage=critical,digitalSignature"}, 2),
       issuer, issuer},
      {"more authorities than the first one allows", short_path, "certificate-chain",
       "certificate-chain"},
      {"somebody else signed it", forged, "certificate-signature", "certificate-signature"},
      {"it signed itself", [=] { return chain{own_leaf("critical,CA:FALSE")}; },
       "certificate-self-signed", "certificate-self-signed"},
      {"it signed itself, and is trusted", [=] { return chain{own_leaf("critical,CA:FALSE")}; },
       "certificate-self-signed", "certificate-self-signed", "a.example", trust_leaf},
      {"it signed itself as an authority", [=] { return chain{own_leaf("critical,CA:TRUE")}; },
       "certificate-authority", "certificate-authority"},
      {"it is an authority", leaf(with_words({"basicConstraints=critical,CA:TRUE"})),
       "certificate-authority", "certificate-authority"},
      {"it says that it is none", leaf(with_words({"basicConstraints=critical,CA:FALSE"})), "", ""},
  });
}

TEST_CASE("what a certificate must be for") {
  const auto usage = [](const std::string& words) {
    return leaf(with_words({"extendedKeyUsage=" + words}));
  };
  const auto key_usage = [](const std::string& words) {
    return leaf(with_words({"keyUsage=critical," + words}));
  };
  const auto middle_for = [](const std::string& words) {
    return below(changed(authority_plan("For one"),
                         [&](plan& p) { p.extensions.push_back("extendedKeyUsage=" + words); }),
                 good_plan());
  };
  // The root stands in the system's store, which OpenSSL lets the environment name.
  const setting system = [](own_side& s) {
    setenv("SSL_CERT_FILE", s.options.ca_file.c_str(), 1);
    setenv("SSL_CERT_DIR", s.files.path("none").c_str(), 1);
    s.options.system_store = true;
    s.options.ca_file.clear();
  };
  const std::string purpose = "certificate-purpose";
  check_rows({
      {"servers", usage("serverAuth"), "", ""},
      {"servers and clients", usage("serverAuth,clientAuth"), "", ""},
      {"clients", usage("clientAuth"), "", purpose},
      {"code", usage("codeSigning"), purpose, purpose},
      {"anything, it says", usage("anyExtendedKeyUsage"), purpose, purpose},
      {"the old 'server gated' usage", usage("nsSGC"), purpose, purpose},
      {"it does not say", leaf(with_words({})), "", ""},
      {"old Netscape clients only", leaf(with_words({"nsCertType=client"})), "", purpose},
      {"its authority is for servers", middle_for("serverAuth"), "", ""},
      {"its authority is for clients only", middle_for("clientAuth"), purpose, purpose},
      {"its key signs", key_usage("digitalSignature"), "", ""},
      {"its key only enciphers", key_usage("keyEncipherment"), purpose, purpose},
      {"its key only agrees", key_usage("keyAgreement"), purpose, purpose},
      {"the system's store: servers", usage("serverAuth"), "", "", "a.example", system},
      {"the system's store: servers and clients", usage("serverAuth,clientAuth"), "", "",
       "a.example", system},
      {"the system's store: clients", usage("clientAuth"), purpose, purpose, "a.example", system},
      {"the system's store: it does not say", leaf(with_words({})), purpose, purpose, "a.example",
       system},
      {"the system's store: anything", usage("anyExtendedKeyUsage"), purpose, purpose, "a.example",
       system},
  });
  unsetenv("SSL_CERT_FILE");
  unsetenv("SSL_CERT_DIR");
}

TEST_CASE("which of the two stores is asked, and which one's reason is told") {
  static const certified other = make_root("Other Root", 3);
  const auto both = [](own_side& s) {
    setenv("SSL_CERT_FILE", s.files.write("system.pem", pem_of(other)).c_str(), 1);
    setenv("SSL_CERT_DIR", s.files.path("none").c_str(), 1);
    s.options.system_store = true;
  };
  const auto expired = changed(good_plan(), [](plan& p) { p.to = -hours(1); });
  const auto by_other = [](const plan& p) { return [=] { return chain{make(p, &other)}; }; };
  check_rows({
      {"the system's", by_other(good_plan()), "", "", "a.example", both},
      {"our own", leaf(good_plan()), "", "", "a.example", both},
      {"the system's, expired", by_other(expired), "certificate-expired", "certificate-expired",
       "a.example", both},
      {"our own, expired", leaf(expired), "certificate-expired", "certificate-expired", "a.example",
       both},
      {"the system's, without a purpose", by_other(with_words({})), "certificate-purpose",
       "certificate-purpose", "a.example", both},
      {"neither", [] { return chain{make(good_plan(), nullptr)}; }, "certificate-self-signed",
       "certificate-self-signed", "a.example", both},
  });
  unsetenv("SSL_CERT_FILE");
  unsetenv("SSL_CERT_DIR");
}

TEST_CASE("keys and signatures that are too weak") {
  const auto with_key = [](const std::string& kind) {
    return leaf(changed(good_plan(), [&](plan& p) { p.key_kind = kind; }));
  };
  const auto signed_with = [](const char* digest) {
    return leaf(changed(good_plan(), [&](plan& p) { p.digest = digest; }));
  };
  const auto middle = [](const std::string& kind, const char* digest) {
    return below(
        changed(authority_plan("Weak"), [&](plan& p) { p.key_kind = kind, p.digest = digest; }),
        good_plan());
  };
  static const certified old_root =
      make(changed(authority_plan("Old Root"), [](plan& p) { p.digest = "SHA1"; }));
  const auto trust_old = [](own_side& s) {
    s.options.ca_file = s.files.write("ca.pem", pem_of(old_root));
  };
  const std::string weak = "certificate-weak";
  check_rows({
      {"P-256", with_key("P-256"), "", ""},
      {"P-384", with_key("P-384"), "", ""},
      {"Ed25519", with_key("ED25519"), "", ""},
      {"RSA of 2048 bits", with_key("RSA-2048"), "", ""},
      {"RSA of 1024 bits", with_key("RSA-1024"), weak, weak},
      {"an authority with RSA of 1024 bits", middle("RSA-1024", "SHA256"), weak, weak},
      {"an authority on P-192", middle("P-192", "SHA256"), weak, weak},
      {"signed with SHA-384", signed_with("SHA384"), "", ""},
      {"signed with SHA-1", signed_with("SHA1"), weak, weak},
      {"an authority signed with SHA-1", middle("P-256", "SHA1"), weak, weak},
      {"a root whose own signature is SHA-1", [] { return chain{make(good_plan(), &old_root)}; },
       "", "", "a.example", trust_old},
  });
}

TEST_CASE("extensions that are unknown or broken") {
  const auto raw = [](const raw_extension& e) {
    return leaf(changed(with_words({}), [&](plan& p) { p.raw.push_back(e); }));
  };
  const auto raw_middle = [](const raw_extension& e) {
    return below(changed(authority_plan("Odd"), [&](plan& p) { p.raw.push_back(e); }), good_plan());
  };
  const auto no_names = [](const std::string& der) {
    return leaf({.subject = {{"a.example"}}, .raw = {{"2.5.29.17", der}}});
  };
  const std::string broken = "\x30\x05garb";
  check_rows({
      {"unknown", raw({unknown_oid, "\x05\x00", false}), "", ""},
      {"unknown and critical", raw({unknown_oid, std::string("\x05\x00", 2), true}),
       "certificate-extension", "certificate-extension"},
      {"unknown and critical, of its authority",
       raw_middle({unknown_oid, std::string("\x05\x00", 2), true}), "certificate-extension",
       "certificate-extension"},
      {"basic constraints that are none", raw({"2.5.29.19", broken, true}), "certificate-extension",
       "certificate-extension"},
      {"a key usage that is none", raw({"2.5.29.15", broken, true}), "certificate-extension",
       "certificate-extension"},
      {"name constraints that are none", raw_middle({"2.5.29.30", broken, true}),
       "certificate-issuer", "certificate-issuer"},
      {"alternative names that are none", no_names(broken), "certificate-extension",
       "certificate-extension"},
      {"alternative names twice", raw({"2.5.29.17", dns_names({"a.example"}), false}),
       "certificate-extension", "certificate-extension"},
  });
}

TEST_CASE("what an authority may not certify") {
  const auto limited = [](const std::string& rule, const plan& p) {
    return below(changed(authority_plan("Limited"),
                         [&](plan& m) { m.extensions.push_back("nameConstraints=" + rule); }),
                 p);
  };
  const plan wildcard{.extensions = {"subjectAltName=DNS:*.a.example"}};
  const auto named = [](const std::string& cn) { return plan{.subject = {{cn}}}; };
  const std::string outside = "certificate-constraint";
  check_rows({
      {"inside", limited("critical,permitted;DNS:a.example", good_plan()), "", ""},
      {"below", limited("critical,permitted;DNS:example", good_plan()), "", ""},
      {"outside", limited("critical,permitted;DNS:b.example", good_plan()), outside, outside},
      {"not critical", limited("permitted;DNS:b.example", good_plan()), outside, outside},
      {"excluded", limited("critical,excluded;DNS:a.example", good_plan()), outside, outside},
      {"another is excluded", limited("critical,excluded;DNS:b.example", good_plan()), "", ""},
      {"only addresses are limited",
       limited("critical,permitted;IP:192.0.2.0/255.255.255.0", good_plan()), "", ""},
      {"a commonName inside", limited("critical,permitted;DNS:a.example", named("a.example")), "",
       ""},
      {"a commonName outside", limited("critical,permitted;DNS:b.example", named("a.example")),
       outside, outside},
      // OpenSSL does not hold these two against the constraints, so they are no names.
      {"a commonName with a wildcard",
       limited("critical,permitted;DNS:b.example", named("*.a.example")), "identity", "identity",
       "m.a.example"},
      {"a commonName of one label", limited("critical,permitted;DNS:b.example", named("a")),
       "identity", "identity", "a"},
      {"a wildcard inside", limited("critical,permitted;DNS:a.example", wildcard), "", "",
       "m.a.example"},
      {"a wildcard outside", limited("critical,permitted;DNS:b.example", wildcard), outside,
       outside, "m.a.example"},
      // OpenSSL sees only that the two differ.
      {"a wildcard that covers what is excluded",
       limited("critical,excluded;DNS:m.a.example", wildcard), outside, outside, "m.a.example"},
      {"a wildcard above what is excluded",
       limited("critical,excluded;DNS:.x.m.a.example", wildcard), "", "", "m.a.example"},
      {"a wildcard beside what is excluded", limited("critical,excluded;DNS:m.b.example", wildcard),
       "", "", "m.a.example"},
  });
}
