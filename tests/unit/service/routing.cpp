#include <ima/service/routing.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ima;
using namespace ima::service;

namespace {

using words = std::vector<std::string>;

address at(std::string_view text) { return address::parse(text).value(); }

// The mailbox of an entry, or nothing.
std::string mailbox_of(const routing_table& routes, std::string_view who) {
  const auto found = routes.find(at(who)).value();
  return found ? found->mailbox : "";
}

route alias(const words& members) {
  route made;
  for (const std::string& m : members) made.alias.push_back(at(m));
  return made;
}

words texts(const std::vector<address>& those) {
  words out;
  for (const address& a : those) out.emplace_back(a.text());
  return out;
}

words places(const std::vector<destination>& those) {
  words out;
  for (const destination& d : those) out.push_back(d.what.mailbox);
  return out;
}

// A host b.example with the mailboxes of ann and bob.
routing_table two_users() {
  routing_table routes;
  routes.add_host("b.example");
  REQUIRE(routes.add(at("ann@b.example"), {"/mail/ann", {}, {}}));
  REQUIRE(routes.add(at("bob@b.example"), {"/mail/bob", {}, {}}));
  return routes;
}

}  // namespace

TEST_CASE("an address stands where the command says, every time it says so") {
  CHECK(arguments_for({"run", "--to={address}", "{address},{address}"}, at("bob@b.example")) ==
        words{"run", "--to=bob@b.example", "bob@b.example,bob@b.example"});
}

TEST_CASE("an address that stands nowhere is appended") {
  CHECK(arguments_for({"run", "-v"}, at("bob@b.example")) == words{"run", "-v", "bob@b.example"});
}

TEST_CASE("an address is never taken for an option") {
  CHECK(arguments_for({"run"}, at("-f@b.example")) == words{"run", "./-f@b.example"});
  CHECK(arguments_for({"run", "{address}", "--to={address}"}, at("-f@b.example")) ==
        words{"run", "./-f@b.example", "--to=-f@b.example"});
}

TEST_CASE("an address that looks like the mark is put in once") {
  CHECK(arguments_for({"run", "{address}"}, at("{address}@b.example")) ==
        words{"run", "{address}@b.example"});
}

TEST_CASE("an entry is found in either case of letters, and only for its own address") {
  routing_table routes;
  REQUIRE(routes.add(at("Bob@b.example"), {"/mail/bob", {}}));
  CHECK(mailbox_of(routes, "bOB@b.example") == "/mail/bob");
  CHECK(mailbox_of(routes, "bob@b.example") == "/mail/bob");
  CHECK(mailbox_of(routes, "bo@b.example").empty());
  CHECK(mailbox_of(routes, "bob@c.example").empty());
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

TEST_CASE("a subaddress is its user's unless it has an entry of its own") {
  auto routes = two_users();
  REQUIRE(routes.add(at("bob+lists@b.example"), {"/mail/lists", {}, {}}));
  CHECK(mailbox_of(routes, "bob+x@b.example") == "/mail/bob");
  CHECK(mailbox_of(routes, "Bob+x+y@b.example") == "/mail/bob");
  CHECK(mailbox_of(routes, "bob+lists@b.example") == "/mail/lists");
  CHECK(mailbox_of(routes, "eve+x@b.example").empty());
  CHECK(mailbox_of(routes, "+bob@b.example").empty());
}

TEST_CASE("a catch-all takes what nobody else at its host takes") {
  auto routes = two_users();
  REQUIRE(routes.add_catch_all("b.example", {"/mail/rest", {}, {}}));
  CHECK(mailbox_of(routes, "bob@b.example") == "/mail/bob");
  CHECK(mailbox_of(routes, "bob+x@b.example") == "/mail/bob");
  CHECK(mailbox_of(routes, "eve@b.example") == "/mail/rest");
  CHECK(mailbox_of(routes, "eve@c.example").empty());
  CHECK(routes.add_catch_all("b.example", {"/mail/two", {}, {}}).error().rule == "route");
}

TEST_CASE("an alias stands for its members, here and elsewhere, each once") {
  auto routes = two_users();
  REQUIRE(
      routes.add(at("all@b.example"), alias({"ann@b.example", "bob@b.example", "carol@c.example",
                                             "ANN@b.example", "carol@c.example"})));
  const auto ends = resolve(routes, at("all@b.example")).value();
  CHECK(ends.known);
  CHECK(ends.alias);
  CHECK(places(ends.here) == words{"/mail/ann", "/mail/bob"});
  CHECK(texts(ends.elsewhere) == words{"carol@c.example"});
  CHECK(routes.leads_elsewhere());
  CHECK_FALSE(resolve(routes, at("bob@b.example")).value().alias);
}

TEST_CASE("lists that name each other, or themselves, end") {
  auto routes = two_users();
  REQUIRE(routes.add(at("one@b.example"), alias({"two@b.example", "ann@b.example"})));
  REQUIRE(routes.add(at("two@b.example"), alias({"one@b.example", "bob@b.example"})));
  REQUIRE(routes.add(at("self@b.example"), alias({"self@b.example"})));
  CHECK(places(resolve(routes, at("one@b.example")).value().here) ==
        words{"/mail/ann", "/mail/bob"});
  CHECK(places(resolve(routes, at("two@b.example")).value().here) ==
        words{"/mail/bob", "/mail/ann"});
  CHECK_FALSE(resolve(routes, at("self@b.example")).value().known);
}

TEST_CASE("an alias for somebody of ours who does not exist is found before it is used") {
  auto routes = two_users();
  REQUIRE(routes.add(at("old@b.example"), alias({"gone@b.example", "bob@b.example"})));
  CHECK(routes.check().error().rule == "route");
  const auto ends = resolve(routes, at("old@b.example")).value();
  CHECK(places(ends.here) == words{"/mail/bob"});
  CHECK(texts(ends.nonexistent) == words{"gone@b.example"});
}

TEST_CASE("an address without an entry leads nowhere") {
  CHECK_FALSE(resolve(two_users(), at("eve@b.example")).value().known);
  CHECK_FALSE(resolve(two_users(), at("eve@c.example")).value().known);
}
