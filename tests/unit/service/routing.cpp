#include <ima/service/routing.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ima;
using namespace ima::service;

namespace {

using words = std::vector<std::string>;

address at(std::string_view text) { return address::parse(text).value(); }

}  // namespace

TEST_CASE("an address stands where the command says, every time it says so") {
  CHECK(arguments_for({"run", "--to={address}", "{address},{address}"}, at("bob@b.example")) ==
        words{"run", "--to=bob@b.example", "bob@b.example,bob@b.example"});
}

TEST_CASE("an address that stands nowhere is appended") {
  CHECK(arguments_for({"run", "-v"}, at("bob@b.example")) == words{"run", "-v", "bob@b.example"});
}

TEST_CASE("an appended address is never taken for an option") {
  CHECK(arguments_for({"run"}, at("-f@b.example")) == words{"run", "./-f@b.example"});
}

TEST_CASE("an address that looks like the mark is put in once") {
  CHECK(arguments_for({"run", "{address}"}, at("{address}@b.example")) ==
        words{"run", "{address}@b.example"});
}

TEST_CASE("an entry is found in either case of letters, and only for its own address") {
  routing_table routes;
  REQUIRE(routes.add(at("Bob@b.example"), {"/mail/bob", {}}));
  REQUIRE(routes.find(at("bOB@b.example")) != nullptr);
  CHECK(routes.find(at("bob@b.example"))->mailbox == "/mail/bob");
  CHECK(routes.find(at("bo@b.example")) == nullptr);
  CHECK(routes.find(at("bob@c.example")) == nullptr);
}

TEST_CASE("an entry says one thing, and an address has one entry") {
  routing_table routes;
  CHECK(routes.add(at("bob@b.example"), {}).error().rule == "route");
  CHECK(routes.add(at("bob@b.example"), {"/mail/bob", {"run"}}).error().rule == "route");
  REQUIRE(routes.add(at("bob@b.example"), {"", {"run"}}));
  CHECK(routes.add(at("BOB@b.example"), {"/mail/bob", {}}).error().rule == "route");
}

TEST_CASE("only the hostparts that were added are ours") {
  routing_table routes;
  routes.add_host("b.example");
  CHECK(routes.is_ours("b.example"));
  CHECK_FALSE(routes.is_ours("sub.b.example"));
  CHECK_FALSE(routes.is_ours("example"));
}
