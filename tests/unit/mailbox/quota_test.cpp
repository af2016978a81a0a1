#include "fixture.hpp"

#include <fstream>

using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

std::string make(const temporary_directory& dir) {
  const std::string path = dir / "bob";
  REQUIRE(mb::mailbox::create(files, path));
  return path;
}

}  // namespace

TEST_CASE("what the folders hold is counted in octets and messages through every change") {
  const temporary_directory dir;
  const std::string path = make(dir);
  auto box = mb::mailbox::open(files, path).value();
  CHECK(box.quota()->messages == 0);
  const auto m = compose("one", {{"text"}, {std::string(1000, 'x'), "a/b", "f"}});
  const std::uint64_t size = m.header.size() + m.body.size();
  REQUIRE(deliver(files, m, path));
  REQUIRE(box.take_in());
  const std::vector ids{m.header.id_digest().hex()};
  REQUIRE(box.create_folder("kept"));
  REQUIRE(box.set_flags("inbox", ids, {{"seen"}, {}, {}}));
  REQUIRE(box.move("inbox", "kept", ids));
  CHECK(box.quota()->octets == size);
  CHECK(box.quota()->messages == 1);
  REQUIRE(box.copy("kept", "inbox", ids));
  CHECK(box.quota()->octets == 2 * size);
  REQUIRE(box.remove("kept", ids));
  CHECK(box.quota()->octets == size);
  CHECK(box.quota()->messages == 1);
}

TEST_CASE("a deliverer sees limits and use without an index, at the limit and one above") {
  const temporary_directory dir;
  const std::string path = make(dir);
  auto box = mb::mailbox::open(files, path).value();
  const auto m = compose("one", {{"text"}});
  REQUIRE(deliver(files, m, path));
  REQUIRE(box.take_in());
  const std::uint64_t size = m.header.size() + m.body.size();
  CHECK(mb::room_for(files, path, UINT64_MAX).value());
  REQUIRE(box.set_quota({size + 100, 0}));
  std::filesystem::remove(path + "/index");
  CHECK(mb::room_for(files, path, 100).value());
  CHECK_FALSE(mb::room_for(files, path, 101).value());
  CHECK_FALSE(mb::room_for(files, path, UINT64_MAX).value());
  REQUIRE(box.set_quota({0, 2}));
  CHECK(mb::room_for(files, path, 100).value());
  // What waits in new/ counts, too.
  REQUIRE(deliver(files, compose("two", {{"x"}, {"y", "a/b", "f"}}), path));
  CHECK_FALSE(mb::room_for(files, path, 1).value());
  REQUIRE(box.set_quota({}));
  CHECK(mb::room_for(files, path, 1).value());
}

TEST_CASE("use is read behind a torn journal tail, and a damaged quota is told") {
  const temporary_directory dir;
  const std::string path = make(dir);
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.set_quota({0, 1}));
  std::ofstream(path + "/journal", std::ios::app) << std::string(5000, 'x') << "\nyyy";
  CHECK(mb::room_for(files, path, 1).value());
  for (const auto* bad : {"", "ima-quota 2\noctets 1\nmessages 1\n", "ima-quota 1\noctets 1\n",
                          "ima-quota 1\noctets 01\nmessages 1\n"}) {
    std::ofstream(path + "/quota") << bad;
    CHECK(mb::room_for(files, path, 1).error().rule == "quota-damaged");
  }
}

TEST_CASE("a full mailbox takes no append and no copy, and stays as it was") {
  const temporary_directory dir;
  const std::string path = make(dir);
  auto box = mb::mailbox::open(files, path).value();
  const auto m = compose("one", {{"text"}});
  REQUIRE(deliver(files, m, path));
  REQUIRE(box.take_in());
  REQUIRE(box.set_quota({0, 1}));
  const std::vector ids{m.header.id_digest().hex()};
  CHECK(box.copy("inbox", "inbox", ids).error().rule == "quota");
  CHECK(box.append(m.header, target_at("").note).error().rule == "quota");
  CHECK(box.status("inbox")->messages == 1);
  CHECK(box.check()->strays == 0);
}
