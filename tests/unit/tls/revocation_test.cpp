// Revocation lists (docs/identity.md section 3): from a file or a directory, in PEM or DER.

#include "fixture.hpp"

#include <ima/tls/explain.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace ima;
using namespace ima::test;
using std::chrono::hours;

namespace {

using list = std::shared_ptr<X509_CRL>;

std::string pem_list(const list& l) {
  return written([&](BIO* out) { PEM_write_bio_X509_CRL(out, l.get()); });
}
std::string der_list(const list& l) {
  return written([&](BIO* out) { i2d_X509_CRL_bio(out, l.get()); });
}

const certified& revoked() {
  static const certified made = make(domain_plan("a.example"), &root());
  return made;
}
const certified& good() {
  static const certified made = make(domain_plan("a.example"), &root());
  return made;
}
list current() { return make_list(root(), {revoked()}); }

// What a server of ours with these lists says of a client with this certificate.
std::string rule_for(const certified& c, const tls::context& with) {
  foreign_peer client({.chain = {c}});
  const std::string rule = serve(with, client).rule;
  const auto told = tls::explain(with, pem_of(c), "a.example", tls::peer_role::client).value();
  CHECK((told.refused ? std::string(told.refused->rule) : "") == rule);
  return rule;
}

std::string rule_for(const certified& c, own_side& side, const std::string& lists) {
  side.options.crl = lists;
  return rule_for(c, tls::context::create(side.options).value());
}

}  // namespace

TEST_CASE("a certificate on its issuer's list is refused, from a file or a directory") {
  own_side side;
  std::filesystem::create_directory(side.files.path("lists"));
  side.files.write("lists/one.der", der_list(current()));
  side.files.write("lists/.half-written", "not a list");
  for (const std::string& lists :
       {side.files.write("crl.pem", pem_list(current())),
        side.files.write("crl.der", der_list(current())), side.files.path("lists")}) {
    CAPTURE(lists);
    CHECK(rule_for(revoked(), side, lists) == "certificate-revoked");
    CHECK(rule_for(good(), side, lists) == "");
  }
}

TEST_CASE("a list that is missing, out of date, not yet good or forged refuses everybody") {
  own_side side;
  const certified stranger = make_root("Stranger", 1);
  const certified impostor = make_root("Test Root", 2);
  const std::string all = "certificate-revocation";
  const auto check = [&](const list& l) {
    return rule_for(good(), side, side.files.write("crl.pem", pem_list(l)));
  };
  CHECK(check(make_list(root(), {})) == "");
  CHECK(check(make_list(stranger, {})) == all);
  CHECK(check(make_list(impostor, {})) == all);
  CHECK(check(make_list(root(), {}, -hours(48), -hours(24))) == all);
  CHECK(check(make_list(root(), {}, hours(24), hours(48))) == all);
}

TEST_CASE("of two lists of one issuer the current one counts") {
  own_side side;
  std::filesystem::create_directory(side.files.path("lists"));
  side.files.write("lists/old", pem_list(make_list(root(), {}, -hours(48), -hours(24))));
  side.files.write("lists/new", pem_list(current()));
  CHECK(rule_for(revoked(), side, side.files.path("lists")) == "certificate-revoked");
  CHECK(rule_for(good(), side, side.files.path("lists")) == "");
}

TEST_CASE("a file of several lists, of which each covers its own issuer") {
  own_side side;
  const certified second = make_root("Second", 3);
  side.options.ca_file = side.files.write("both.pem", pem_of(root()) + pem_of(second));
  const certified by_second = make(domain_plan("a.example"), &second);
  const std::string both = pem_list(current()) + pem_list(make_list(second, {by_second}));
  const std::string file = side.files.write("crl.pem", both);
  CHECK(rule_for(revoked(), side, file) == "certificate-revoked");
  CHECK(rule_for(by_second, side, file) == "certificate-revoked");
  CHECK(rule_for(good(), side, file) == "");
}

TEST_CASE("what holds no list is refused with its name") {
  own_side side;
  std::filesystem::create_directory(side.files.path("empty"));
  std::filesystem::create_directory(side.files.path("mixed"));
  side.files.write("mixed/list", pem_list(current()));
  const std::string readme = side.files.write("mixed/README", "these are lists");
  std::string cut = pem_list(current()) + pem_list(current());
  cut.resize(cut.size() - 100);
  struct row {
    std::string lists;
    std::string place;
  };
  for (const row& r : {row{side.files.path("none"), side.files.path("none")},
                       row{side.files.path("empty"), side.files.path("empty")},
                       row{side.files.path("mixed"), readme}, row{readme, readme},
                       row{side.files.write("cut", cut), side.files.path("cut")},
                       row{side.files.path("root.pem"), side.files.path("root.pem")}}) {
    CAPTURE(r.lists);
    side.options.crl = r.lists;
    const auto made = tls::context::create(side.options);
    REQUIRE_FALSE(made);
    CHECK(made.error().rule == "crl-file");
    CHECK(made.error().place == r.place);
    CHECK(!made.error().text.empty());
  }
}
