#include <ima/service/accounts.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

using namespace ima;
using namespace ima::service;

namespace {

constexpr scrypt_cost cheap{16, 1, 1};

accounts with_bob() {
  accounts users(cheap);
  user_account bob;
  bob.mailbox = "/mail/bob";
  bob.password = password_hash::make("swordfish", cheap).value();
  bob.keys = {digest::of("his key")};
  bob.addresses = {address::parse("Bob@b.example").value()};
  REQUIRE(users.add("bob", std::move(bob)));
  return users;
}

}  // namespace

TEST_CASE("a password matches its own hash and no other password does") {
  const auto hash = password_hash::make("swordfish", cheap).value();
  CHECK(hash.matches("swordfish").value());
  CHECK_FALSE(hash.matches("Swordfish").value());
  CHECK_FALSE(hash.matches("").value());
}

TEST_CASE("the same password is hashed apart each time") {
  CHECK(password_hash::make("swordfish", cheap).value().text() !=
        password_hash::make("swordfish", cheap).value().text());
}

TEST_CASE("a hash that another program made is understood") {
  // Python: hashlib.scrypt(b"swordfish", salt=bytes(range(16)), n=16, r=1, p=1, dklen=32)
  const std::string text =
      "scrypt$16$1$1$000102030405060708090a0b0c0d0e0f$"
      "06f166f85066604f589360bd789695f3c133b8c36c01efe85b2ef25125f73697";
  const auto hash = password_hash::parse(text).value();
  CHECK(hash.text() == text);
  CHECK(hash.matches("swordfish").value());
}

TEST_CASE("a malformed hash is refused") {
  const std::string good = password_hash::make("swordfish", cheap).value().text();
  const auto rule = [](const std::string& text) { return password_hash::parse(text).error().rule; };
  REQUIRE(password_hash::parse(good));
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK(rule(good.substr(0, length)) == "password-hash");
  CHECK(rule(good + "0") == "password-hash");
  CHECK(rule("bcrypt" + good.substr(6)) == "password-hash");
  CHECK(rule("scrypt$15" + good.substr(9)) == "password-cost");
  CHECK(rule("scrypt$17179869184" + good.substr(9)) == "password-cost");
}

TEST_CASE("a hash of less work than wanted says so") {
  const auto hash = password_hash::make("swordfish", {32, 2, 1}).value();
  CHECK_FALSE(hash.weaker_than({32, 2, 1}));
  CHECK(hash.weaker_than({64, 2, 1}));
  CHECK(hash.weaker_than({32, 2, 2}));
  CHECK_FALSE(hash.weaker_than(cheap));
}

TEST_CASE("a user gets his mailbox by his password, and everyone else the same answer") {
  auto users = with_bob();
  CHECK(users.by_password("bob", "swordfish").value() == "/mail/bob");
  const auto wrong = users.by_password("bob", "guess").error();
  CHECK(wrong.rule == "auth");
  CHECK(users.by_password("nobody", "guess").error() == wrong);
}

TEST_CASE("a user without a password has no way in by one") {
  accounts users(cheap);
  user_account eve;
  eve.mailbox = "/mail/eve";
  REQUIRE(users.add("eve", std::move(eve)));
  CHECK(users.by_password("eve", "").error().rule == "auth");
}

TEST_CASE("a certificate counts by its key, or by the operator's name for this very user") {
  auto users = with_bob();
  CHECK(users.by_certificate("bob", {digest::of("his key"), {}}));
  CHECK_FALSE(users.by_certificate("bob", {digest::of("another"), {}}));
  CHECK_FALSE(users.by_certificate("bob", {digest::of("another"), {"bob"}}));  // not switched on
  user_account dan;
  dan.mailbox = "/mail/dan";
  dan.operator_certificate = true;
  REQUIRE(users.add("dan", std::move(dan)));
  CHECK(users.by_certificate("dan", {digest::of("any"), {"dan"}}).value() == "/mail/dan");
  CHECK_FALSE(users.by_certificate("dan", {digest::of("any"), {"bob"}}));
}

TEST_CASE("a connection may go on while its user is listed and his proof counts") {
  auto users = with_bob();
  const std::string path = users.find("bob")->mailbox;
  CHECK(users.admits("bob", path, std::nullopt));
  CHECK(users.admits("bob", path, retrieval::certificate_facts{digest::of("his key"), {}}));
  CHECK_FALSE(users.admits("bob", path, retrieval::certificate_facts{digest::of("another"), {}}));
  CHECK_FALSE(users.admits("bob", "/mail/other", std::nullopt));
  CHECK_FALSE(users.admits("nobody", path, std::nullopt));
  user_account eve;
  eve.mailbox = "/mail/eve";
  REQUIRE(users.add("eve", std::move(eve)));
  CHECK_FALSE(users.admits("eve", "/mail/eve", std::nullopt));  // she has no password any more
}

TEST_CASE("a user sends only from addresses that are his, in either case of letters") {
  const auto users = with_bob();
  CHECK(users.may_send_from("bob", address::parse("bob@b.example").value()));
  CHECK_FALSE(users.may_send_from("bob", address::parse("alice@b.example").value()));
  CHECK_FALSE(users.may_send_from("nobody", address::parse("bob@b.example").value()));
}

TEST_CASE("an account needs a name of its own and a mailbox") {
  auto users = with_bob();
  user_account other;
  CHECK(users.add("eve", other).error().rule == "account");
  other.mailbox = "/mail/other";
  CHECK(users.add("bob", other).error().rule == "account");
  CHECK(users.add("", other).error().rule == "account");
  CHECK(users.add("a b", other).error().rule == "account");
}
