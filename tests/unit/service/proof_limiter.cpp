#include <ima/service/proof_limiter.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace ima::service;
using namespace std::chrono_literals;

namespace {

const proof_limiter::time start{1h};

void fail(proof_limiter& l, std::string_view user, std::string_view network, int times) {
  for (int i = 0; i < times; ++i) l.failed(user, network, start);
}

}  // namespace

TEST_CASE("each failed proof makes the next one wait longer, up to a limit") {
  proof_limiter l;
  CHECK(l.delay("bob", "1.2.3.4", start) == 0ms);
  fail(l, "bob", "1.2.3.4", 1);
  CHECK(l.delay("bob", "1.2.3.4", start) == 500ms);
  fail(l, "bob", "1.2.3.4", 1);
  CHECK(l.delay("bob", "1.2.3.4", start) == 1s);
  fail(l, "bob", "1.2.3.4", 10);
  CHECK(l.delay("bob", "1.2.3.4", start) == 16s);
}

TEST_CASE(
    "failures count for the user wherever they come from, and for the network whoever is meant") {
  proof_limiter l;
  fail(l, "bob", "1.2.3.4", 1);
  CHECK(l.delay("bob", "5.6.7.8", start) == 500ms);
  CHECK(l.delay("eve", "1.2.3.4", start) == 500ms);
  CHECK(l.delay("eve", "5.6.7.8", start) == 0ms);
}

TEST_CASE("after too many failures a proof is not looked at, at its limit and not before") {
  proof_limiter l;
  for (int i = 0; i < 29; ++i) l.failed("bob", std::to_string(i), start);
  CHECK(l.delay("bob", "elsewhere", start));
  l.failed("bob", "29", start);
  CHECK_FALSE(l.delay("bob", "elsewhere", start));
  for (int i = 0; i < 99; ++i) l.failed(std::to_string(i), "1.2.3.4", start);
  CHECK(l.delay("carol", "1.2.3.4", start));
  l.failed("99", "1.2.3.4", start);
  CHECK_FALSE(l.delay("carol", "1.2.3.4", start));
}

TEST_CASE("a user is not locked out of where he proved himself") {
  proof_limiter l;
  l.proved("bob", "home", start);
  for (int i = 0; i < 100; ++i) l.failed("bob", std::to_string(i), start);
  CHECK_FALSE(l.delay("bob", "elsewhere", start));
  CHECK(l.delay("bob", "home", start) == 0ms);
  fail(l, "bob", "home", 1);
  CHECK(l.delay("bob", "home", start) == 500ms);
  fail(l, "eve", "home", 100);
  CHECK(l.delay("bob", "home", start) == 500ms);
}

TEST_CASE("a guesser's own success makes nothing forgotten") {
  proof_limiter l;
  fail(l, "bob", "home", 5);
  l.proved("eve", "home", start);
  CHECK(l.delay("bob", "home", start) == 8s);
  CHECK(l.delay("carol", "home", start) == 8s);
  CHECK(l.delay("eve", "home", start) == 0ms);
}

TEST_CASE("failures are forgotten by halves") {
  proof_limiter l;
  fail(l, "bob", "home", 4);
  CHECK(l.delay("bob", "home", start) == 4s);
  CHECK(l.delay("bob", "home", start + 10min) == 1s);
  CHECK(l.delay("bob", "home", start + 20min) == 500ms);
  CHECK(l.delay("bob", "home", start + 30min) == 0ms);
}

TEST_CASE("a guesser who invents names does not fill the memory") {
  proof_limits bounds;
  bounds.remembered = 3;
  proof_limiter l(bounds);
  for (int i = 0; i < 10; ++i)
    l.failed(std::to_string(i), std::to_string(i), start + std::chrono::seconds(i));
  CHECK(l.delay("0", "x", start + 10s) == 0ms);
  CHECK(l.delay("9", "x", start + 10s) == 500ms);
}
