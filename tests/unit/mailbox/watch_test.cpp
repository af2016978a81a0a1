#include "fixture.hpp"

#include <ima/mailbox/watch.hpp>

#include <thread>

using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

// The watch says once more, a tick later, that there may be something.
void settle(mb::watch& w) {
  while (!w.changed().value()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

TEST_CASE("a host has one index for a mailbox, whatever path leads to it") {
  const temporary_directory dir;
  const std::filesystem::path there = dir / "bob";
  std::filesystem::create_directory(there);
  std::filesystem::create_directory_symlink(there, dir / "link");
  const auto index = mb::index_in("/cache", dir / "bob");
  CHECK(index.starts_with("/cache/"));
  CHECK(mb::index_in("/cache", dir / "link") == index);
  CHECK(mb::index_in("/cache", dir / "bob/") == index);
  CHECK(mb::index_in("/cache", dir / "eve") != index);
}

TEST_CASE("a watch tells of mail and of changes by others, and of nothing else") {
  const temporary_directory dir;
  const std::string path = dir / "bob";
  REQUIRE(mb::mailbox::create(files, path));
  mb::watch w(files, path);
  CHECK(w.changed().value());
  settle(w);
  CHECK_FALSE(w.changed().value());
  const auto m = compose("one", {{"text"}});
  REQUIRE(deliver(files, m, path));
  CHECK(w.changed().value());
  auto other = mb::mailbox::open(files, path, {dir / "another-index"}).value();
  REQUIRE(other.take_in());
  CHECK(w.changed().value());
  const std::vector ids{m.header.id_digest().hex()};
  REQUIRE(other.set_flags("inbox", ids, {{"seen"}, {}, {}}));
  CHECK(w.changed().value());
  settle(w);
  CHECK_FALSE(w.changed().value());
  REQUIRE(other.status("inbox"));
  CHECK_FALSE(w.changed().value());
}

TEST_CASE("a change in the same tick as one that was seen is told when the tick is over") {
  const temporary_directory dir;
  const std::string path = dir / "bob";
  REQUIRE(mb::mailbox::create(files, path));
  mb::watch w(files, path);
  REQUIRE(w.changed());
  // A clock that stands still shows as a time that does not change.
  const auto time = std::filesystem::last_write_time(path + "/new");
  REQUIRE(deliver(files, compose("one", {{"text"}}), path));
  std::filesystem::last_write_time(path + "/new", time);
  settle(w);
  CHECK_FALSE(w.changed().value());
}

TEST_CASE("a watch on no mailbox says so") {
  const temporary_directory dir;
  CHECK(mb::watch(files, dir / "none").changed().error().rule == "mailbox-format");
}
