#include "fixture.hpp"
#include "forgetful_file_system.hpp"
#include "mortal_file_system.hpp"

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

namespace {

// A mailbox with many messages, all copies of one, in memory.
struct crowd {
  static constexpr std::size_t count = 700;  // more than one append holds
  forgetful_file_system disk;
  mortal_file_system process{disk};
  std::string path = "/bob";
  std::vector<std::string> ids;

  crowd() {
    REQUIRE(mb::mailbox::create(disk, path));
    auto box = open();
    REQUIRE(box.create_folder("kept"));
    REQUIRE(deliver(disk, compose("one", {{"text"}}), path));
    REQUIRE(box.take_in());
    ids.push_back(all(box).at(0).id);
    const std::vector<std::string> wanted(count - 1, ids.front());
    const auto copies = box.copy("inbox", "inbox", wanted).value();
    ids.insert(ids.end(), copies.begin(), copies.end());
  }
  mb::mailbox open() { return mb::mailbox::open(process, path, {":memory:"}).value(); }
};

}  // namespace

TEST_CASE("a copy of many messages that has no room for all of them leaves none behind") {
  crowd c;
  auto box = c.open();
  REQUIRE(box.set_quota({0, 2 * crowd::count - 1}));
  CHECK(box.copy("inbox", "kept", c.ids).error().rule == "quota");
  CHECK(box.status("kept")->messages == 0);
  CHECK(box.check()->strays == 0);
  REQUIRE(box.set_quota({0, 2 * crowd::count}));
  CHECK(box.copy("inbox", "kept", c.ids)->size() == crowd::count);
  CHECK(box.status("kept")->messages == crowd::count);
}

TEST_CASE("a copy that fails in the middle takes back what it made") {
  crowd c;
  auto box = c.open();
  const std::uint64_t before = c.process.changes;
  const auto copies = box.copy("inbox", "kept", c.ids).value();
  const std::uint64_t steps = c.process.changes - before;
  REQUIRE(box.remove("kept", copies));
  for (std::uint64_t tenth = 1; tenth < 10; ++tenth) {
    CAPTURE(tenth);
    c.process.fail_at = c.process.changes + steps * tenth / 10;
    const auto failed = box.copy("inbox", "kept", c.ids);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().rule == "storage");
    CHECK(box.status("kept")->messages == 0);
    CHECK(box.quota()->messages == crowd::count);
    CHECK(box.check()->missing.empty());
    CHECK(box.check()->strays == 0);
  }
}

TEST_CASE("only messages that are there count where copies are to have room") {
  crowd c;
  auto box = c.open();
  REQUIRE(box.set_quota({0, crowd::count + 1}));
  const std::string gone(64, 'f');
  const std::vector both{gone, c.ids[0], gone};
  const auto copied = box.copy("inbox", "kept", both).value();
  CHECK(copied[0].empty());
  CHECK_FALSE(copied[1].empty());
  CHECK(box.copy("inbox", "kept", std::vector{gone}).value() == std::vector{std::string()});
  CHECK(box.copy("inbox", "kept", both).error().rule == "quota");
}

TEST_CASE("a change of flags that one message has no room for changes none") {
  crowd c;
  auto box = c.open();
  mb::flag_change full;
  for (int i = 0; i < 64; ++i) full.add.push_back(fmt::format("k{}", i));
  const std::vector last{c.ids.back()};
  REQUIRE(box.set_flags("inbox", last, full));
  const std::string before = box.status("inbox")->token;
  CHECK(box.set_flags("inbox", c.ids, {{"seen"}, {}, {}}).error().rule == "flag");
  CHECK(box.changes("inbox", before, 10)->entries.empty());
  // What is set already needs no room.
  CHECK(box.set_flags("inbox", last, {{"k0", "k63"}, {}, {}}));
  CHECK(box.set_flags("inbox", last, {{"seen"}, {"k0"}, {}}));
  CHECK(box.set_flags("inbox", std::vector{c.ids[0]}, {{"seen", "seen"}, {}, {}}));
  CHECK(box.find("inbox", c.ids[0]).value()->flags == std::vector<std::string>{"seen"});
}
