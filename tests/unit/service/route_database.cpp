#include <ima/service/routing.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace ima;
using namespace ima::service;

namespace {

address at(std::string_view text) { return address::parse(text).value(); }

// A routing table in an SQLite file, made by these statements.
struct file {
  std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }();
  std::string path = folder + "/routes.sqlite";

  explicit file(const std::string& rows) {
    run("CREATE TABLE routes (address TEXT, position INTEGER, action TEXT, value TEXT,"
        " PRIMARY KEY (address, position)) WITHOUT ROWID;" +
        rows);
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file() { std::filesystem::remove_all(folder); }

  void run(const std::string& statements) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, statements.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
  }
  routing_table table() const {
    routing_table routes;
    routes.add_host("b.example");
    routes.add_source(open_route_database(path).value());
    return routes;
  }
};

}  // namespace

TEST_CASE("a table in a file has all that one in memory has") {
  const file f(
      "INSERT INTO routes VALUES"
      "('bob@b.example', 0, 'mailbox', 'mail/bob'),"
      "('run@b.example', 0, 'command', '/bin/cat'), ('run@b.example', 1, 'command', '-'),"
      "('all@b.example', 0, 'alias', 'bob@b.example'), ('all@b.example', 1, 'alias', "
      "'x@c.example'),"
      "('@b.example', 0, 'mailbox', '/abs/rest')");
  const auto routes = f.table();
  CHECK(routes.find(at("BOB@b.example")).value()->mailbox == f.folder + "/mail/bob");
  CHECK(routes.find(at("bob+x@b.example")).value()->mailbox == f.folder + "/mail/bob");
  CHECK(routes.find(at("run@b.example")).value()->command ==
        std::vector<std::string>{"/bin/cat", "-"});
  CHECK(routes.find(at("eve@b.example")).value()->mailbox == "/abs/rest");
  CHECK_FALSE(routes.find(at("eve@c.example")).value());
  const auto ends = resolve(routes, at("all@b.example")).value();
  CHECK(ends.here.size() == 1);
  CHECK(ends.elsewhere.size() == 1);
}

TEST_CASE("an entry that was changed in the file is found without opening it again") {
  const file f("INSERT INTO routes VALUES ('bob@b.example', 0, 'mailbox', '/one')");
  const auto routes = f.table();
  CHECK(routes.find(at("bob@b.example")).value()->mailbox == "/one");
  f.run("UPDATE routes SET value = '/two'");
  CHECK(routes.find(at("bob@b.example")).value()->mailbox == "/two");
}

TEST_CASE("an entry that makes no sense defers its mail and no other's") {
  const file f(
      "INSERT INTO routes VALUES ('bob@b.example', 0, 'mailbox', '/bob'),"
      "('a@b.example', 0, 'mailbox', '/a'), ('a@b.example', 1, 'mailbox', '/b'),"
      "('b@b.example', 0, 'alias', 'nonsense'), ('c@b.example', 0, 'shell', 'x'),"
      "('d@b.example', 0, 'alias', 'bob@b.example'), ('d@b.example', 1, 'command', 'x'),"
      "('e@b.example', 0, 'mailbox', NULL)");
  const auto routes = f.table();
  for (const char* who :
       {"a@b.example", "b@b.example", "c@b.example", "d@b.example", "e@b.example"}) {
    const auto found = routes.find(at(who));
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == fault::temporary);
    CHECK(found.error().rule == "route-database");
  }
  CHECK(routes.find(at("bob@b.example")).value()->mailbox == "/bob");
}

TEST_CASE("what is no such table is not opened") {
  const file f("DROP TABLE routes");
  CHECK(open_route_database(f.path).error().rule == "route-database");
  CHECK(open_route_database(f.folder + "/missing").error().kind == fault::caller);
  std::ofstream(f.folder + "/text") << "this is no database, and long enough to tell so";
  CHECK_FALSE(open_route_database(f.folder + "/text"));
}
