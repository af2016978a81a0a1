#include "users.hpp"

#include "users_file.hpp"

#include <ima/service/accounts.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace ima;
using namespace ima::tools;

namespace {

constexpr service::scrypt_cost cheap{16, 1, 1};

struct folder {
  std::filesystem::path path;
  std::filesystem::path file;
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ima-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
    file = path / "users.toml";
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() { std::filesystem::remove_all(path); }

  void write(const std::string& text) const { std::ofstream(file) << text; }
  std::string read() const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

std::string cheap_hash(std::string_view password) {
  return service::password_hash::make(password, cheap).value().text();
}

// What is done to the file, and that it is kept.
template <class Change>
void edit(const folder& f, const Change& change) {
  auto file = users_file::open(f.file);
  REQUIRE(file);
  REQUIRE(change(*file));
  REQUIRE(file->commit());
}

}  // namespace

TEST_CASE("users are added, changed and removed, and comments stay") {
  folder f;
  f.write(
      "# Our users.\n\n[users.ann] # the boss\nmailbox = \"ann\"\n# her other address\n"
      "addresses = [\n  \"ann@a.example\",\n]\n\n# Bob.\n[users.bob]\nmailbox = \"bob\"\n");
  edit(f, [](users_file& u) { return u.set("ann", "addresses", "[\"ann@b.example\"]"); });
  edit(f, [](users_file& u) -> result<void> {
    if (auto good = u.add("carol-d"); !good) return good;
    return u.set("carol-d", "mailbox", toml_text("carol"));
  });
  edit(f, [](users_file& u) { return u.remove("bob"); });
  CHECK(f.read() ==
        "# Our users.\n\n[users.ann] # the boss\nmailbox = \"ann\"\n# her other address\n"
        "addresses = [\"ann@b.example\"]\n\n# Bob.\n\n[users.\"carol-d\"]\nmailbox = \"carol\"\n");
}

TEST_CASE("what would not be read back is not written") {
  folder f;
  f.write("[users.ann]\nmailbox = \"ann\"\n");
  const std::string before = f.read();
  auto file = users_file::open(f.file);
  REQUIRE(file);
  CHECK(file->add("ann").error().rule == "user-exists");
  CHECK(file->remove("eve").error().rule == "no-user");
  REQUIRE(file->set("ann", "password", "\"nonsense\""));
  CHECK(file->commit().error().rule == "config-value");
  CHECK(f.read() == before);
}

TEST_CASE("a user who is not a table of his own is left to people") {
  folder f;
  f.write("[users]\nann = { mailbox = \"ann\" }\nbob.mailbox = \"bob\"\n");
  auto file = users_file::open(f.file);
  REQUIRE(file);
  CHECK(file->set("ann", "mailbox", "\"x\"").error().rule == "users-form");
  CHECK(file->remove("bob").error().rule == "users-form");
}

TEST_CASE("editors at the same time lose nothing, and mode and link stay") {
  folder f;
  f.write("");
  std::filesystem::permissions(f.file, std::filesystem::perms(0640));
  std::filesystem::create_symlink(f.file, f.path / "link.toml");
  std::vector<std::thread> editors;
  for (int i = 0; i < 4; ++i)
    editors.emplace_back([&, i] {
      for (int j = 0; j < 5; ++j) {
        const std::string name = "u" + std::to_string(i * 10 + j);
        auto file = users_file::open(f.path / "link.toml");
        if (!file || !file->add(name) || !file->set(name, "mailbox", "\"m\"")) return;
        (void)file->commit();  // what is missing is counted below
      }
    });
  for (auto& e : editors) e.join();
  std::size_t count = 0;
  read_users(f.file).value().each([&](std::string_view, const service::user_account&) { ++count; });
  CHECK(count == 20);
  CHECK(std::filesystem::is_symlink(f.path / "link.toml"));
  CHECK(std::filesystem::status(f.file).permissions() == std::filesystem::perms(0640));
}

TEST_CASE("the file and its lock belong to whom the file belonged, whoever edits it") {
  if (::geteuid() != 0) return;  // nobody else can make files of others
  folder f;
  f.write("[users.bob]\nmailbox = \"bob\"\n");
  const auto owner_of = [](const std::filesystem::path& path) {
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return std::pair(facts.st_uid, facts.st_gid);
  };
  for (const auto& owner :
       {std::pair<uid_t, gid_t>(0, 12345), std::pair<uid_t, gid_t>(54321, 12345)}) {
    REQUIRE(::chown(f.file.c_str(), owner.first, owner.second) == 0);
    edit(f, [](users_file& u) { return u.set("bob", "mailbox", "\"other\""); });
    CHECK(owner_of(f.file) == owner);
    CHECK(owner_of(f.file.string() + ".lock") == owner);
  }
}

TEST_CASE("the text of a key is had as it is") {
  folder f;
  f.write("[users.bob]\nmailbox = \"b\\\"ob\"\naddresses = [\"bob@b.example\"]\n");
  const auto file = users_file::open(f.file);
  REQUIRE(file);
  CHECK(file->get("bob", "mailbox") == "b\"ob");
  CHECK(file->get("bob", "addresses") == std::nullopt);
  CHECK(file->get("bob", "password") == std::nullopt);
  CHECK(file->get("eve", "mailbox") == std::nullopt);
}

TEST_CASE("a changed file is taken up at the next proof, and a broken one changes nothing") {
  folder f;
  f.write("[users.bob]\nmailbox = \"/m/bob\"\npassword = \"" + cheap_hash("swordfish") + "\"\n");
  const auto users = listed_users::open(f.file, nullptr).value();
  CHECK(users->by_password("bob", "swordfish").value() == "/m/bob");
  edit(f, [](users_file& u) { return u.set("bob", "mailbox", "\"/m/other\""); });
  CHECK(users->by_password("bob", "swordfish").value() == "/m/other");
  f.write("[users.bob]\nmailbox = 5\n");
  CHECK(users->by_password("bob", "swordfish").value() == "/m/other");
  CHECK_FALSE(users->reload());
}

TEST_CASE("a password that costs too little is kept anew when it is next known") {
  folder f;
  f.write("[users.bob]\nmailbox = \"bob\"\npassword = \"" + cheap_hash("swordfish") + "\"\n");
  const auto users = listed_users::open(f.file, nullptr).value();
  CHECK_FALSE(users->by_password("bob", "wrong"));
  CHECK(f.read().find("scrypt$16$1$1$") != std::string::npos);
  CHECK(users->by_password("bob", "swordfish"));
  CHECK(f.read().find("scrypt$16$1$1$") == std::string::npos);
  CHECK(users->by_password("bob", "swordfish"));
  CHECK_FALSE(users->by_password("bob", "wrong"));
}

TEST_CASE("a user changes his own password if he knows the old one") {
  folder f;
  f.write("[users.bob]\nmailbox = \"bob\"\npassword = \"" + cheap_hash("swordfish") +
          "\"\n\n[users.ann]\nmailbox = \"ann\"\n");
  const auto users = listed_users::open(f.file, nullptr).value();
  CHECK(users->change_password("bob", "wrong", "correct horse").error().rule == "auth");
  CHECK(users->change_password("ann", "", "correct horse").error().rule == "auth");
  CHECK(users->change_password("bob", "swordfish", "1234567").error().rule == "limit");
  CHECK(users->change_password("bob", "swordfish", "12345678"));
  CHECK_FALSE(users->by_password("bob", "swordfish"));
  CHECK(users->by_password("bob", "12345678"));
}
