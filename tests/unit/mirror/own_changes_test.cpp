#include "mirror/own_changes.hpp"

#include "../mailbox/fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace ima;
using mailbox_test::temporary_directory;
using mirror::own_changes;

namespace {

own_changes opened(const std::string& path) { return own_changes::open(path).value(); }

void add(own_changes& to, const own_changes::change& what) {
  REQUIRE(to.will_do(std::span(&what, 1), "7.1.20"));
}

void send(own_changes& to, const own_changes::change& what) {
  REQUIRE(to.will_send(std::span(&what, 1)));
}

using flags = std::vector<std::string>;
using knowledge = own_changes::knowledge;

using share = own_changes::share;

bool placed(const own_changes& in, std::string_view id, std::string_view folder) {
  return in.did(id, folder, {}, "7.2.20") != share::nothing;
}

bool made(const own_changes& in, std::string_view id, std::string_view folder, flags all) {
  return in.did(id, folder, std::move(all), "7.2.20") == share::everything;
}

}  // namespace

TEST_CASE("what earlier runs did last to a message is known, and what people did since is told") {
  const temporary_directory place;
  const std::string path = place / "changes";
  {
    auto first = opened(path);
    add(first, {"1", "", "inbox", flags{"seen", "flagged"}});
    add(first, {"2", "inbox", "work", flags{}});
    add(first, {"2", "work", "work", flags{"seen"}});
    add(first, {"3", "inbox", "", flags{}});
    // What this one did is done.
    CHECK(made(first, "2", "work", {"seen"}));
    CHECK(placed(first, "2", "work"));
    CHECK_FALSE(made(first, "2", "work", {}));
  }
  const auto then = opened(path);
  CHECK(placed(then, "1", "inbox"));
  CHECK(made(then, "1", "inbox", {"flagged", "seen"}));
  CHECK_FALSE(made(then, "1", "inbox", {"seen"}));
  CHECK_FALSE(placed(then, "1", "work"));
  // It may have been stopped between the two.
  CHECK(made(then, "2", "work", {}));
  CHECK(made(then, "2", "work", {"seen"}));
  CHECK_FALSE(made(then, "2", "work", {"flagged"}));
  CHECK(placed(then, "3", ""));
  CHECK_FALSE(placed(then, "4", ""));
}

TEST_CASE("only the last place counts, wherever a message was before") {
  const temporary_directory place;
  const std::string path = place / "changes";
  {
    auto first = opened(path);
    add(first, {"1", "inbox", "work", flags{}});
    add(first, {"1", "work", "inbox", flags{"seen"}});
  }
  const auto then = opened(path);
  CHECK_FALSE(placed(then, "1", "work"));
  CHECK_FALSE(made(then, "1", "work", {}));
  CHECK(made(then, "1", "inbox", {"seen"}));
}

TEST_CASE("flags that nobody noted may be anybody's") {
  const temporary_directory place;
  auto first = opened(place / "changes");
  add(first, {"1", "inbox", "work", std::nullopt});
  for (const auto& changes : {std::move(first), opened(place / "changes")}) {
    CHECK(placed(changes, "1", "work"));
    CHECK_FALSE(made(changes, "1", "work", {}));
    CHECK(changes.knows("1", "work", {}) == knowledge::none);
  }
}

TEST_CASE("what was sent is known until something else is done, and is nobody's work here") {
  const temporary_directory place;
  const std::string path = place / "changes";
  {
    auto first = opened(path);
    add(first, {"1", "", "inbox", flags{}});
    send(first, {"1", "", "work", flags{"seen", "flagged"}});
    send(first, {"2", "", "work", flags{"seen"}});
    add(first, {"2", "work", "work", flags{}});
    CHECK(first.knows("1", "work", {"flagged", "seen"}) == knowledge::certain);
    CHECK(first.knows("2", "work", {}) == knowledge::certain);
  }
  const auto then = opened(path);
  CHECK(then.knows("1", "work", {"flagged", "seen"}) == knowledge::certain);
  CHECK(then.knows("1", "work", {"seen"}) == knowledge::none);
  CHECK(then.knows("1", "inbox", {}) == knowledge::none);
  CHECK(then.knows("2", "work", {"seen"}) == knowledge::none);
  CHECK(then.knows("2", "work", {}) == knowledge::likely);
  CHECK(then.knows("3", "work", {}) == knowledge::none);
  REQUIRE(then.place_of("1") != nullptr);
  CHECK(*then.place_of("1") == "work");
  CHECK(then.place_of("2") == nullptr);
  for (const auto* folder : {"inbox", "work"}) CHECK_FALSE(placed(then, "1", folder));
}

TEST_CASE("what a run sent is forgotten by the next that is through with its folder") {
  const temporary_directory place;
  const std::string path = place / "changes";
  const auto in_inbox = [](std::string_view folder) { return folder == "inbox"; };
  {
    auto first = opened(path);
    add(first, {"1", "", "inbox", flags{}});
    send(first, {"1", "", "inbox", flags{"seen"}});
    send(first, {"2", "", "inbox", flags{"seen"}});
    add(first, {"2", "inbox", "inbox", flags{}});
    send(first, {"3", "", "work", flags{}});
    REQUIRE(first.forget(in_inbox));
  }
  {
    auto next = opened(path);
    CHECK(next.knows("1", "inbox", {"seen"}) == knowledge::certain);
    CHECK_FALSE(placed(next, "1", "inbox"));
    CHECK(next.knows("2", "inbox", {"seen"}) == knowledge::none);
    CHECK(next.knows("3", "work", {}) == knowledge::certain);
    send(next, {"4", "", "inbox", flags{}});
    REQUIRE(next.forget(in_inbox));
  }
  auto last = opened(path);
  CHECK(last.knows("1", "inbox", {"seen"}) == knowledge::none);
  CHECK(last.knows("3", "work", {}) == knowledge::certain);
  CHECK(last.knows("4", "inbox", {}) == knowledge::certain);
  REQUIRE(last.forget([](std::string_view) { return true; }));
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a record that nobody asks for is no longer than twice what is needed of it") {
  const temporary_directory place;
  const std::string path = place / "changes";
  std::uintmax_t longest = 0;
  for (int run = 0; run < 200; ++run) {
    auto changes = opened(path);
    if (run == 0) send(changes, {"2", "", "work", flags{}});
    const bool seen = run % 2 == 0;
    const own_changes::change flagged{"1", "inbox", "inbox", seen ? flags{"seen"} : flags{}};
    REQUIRE(changes.will_do(std::span(&flagged, 1), fmt::format("7.1.{}", 100 + run)));
    REQUIRE(changes.shorten());
    const auto then = opened(path);
    CHECK(made(then, "1", "inbox", seen ? flags{"seen"} : flags{}));
    CHECK(then.knows("2", "work", {}) == knowledge::certain);
    if (run < 4) longest = std::max(longest, std::filesystem::file_size(path));
    CHECK(std::filesystem::file_size(path) <= longest);
  }
}

TEST_CASE("an empty file that a crash left goes, too") {
  const temporary_directory place;
  const std::string path = place / "changes";
  std::ofstream(path).close();
  auto changes = opened(path);
  REQUIRE(changes.forget([](std::string_view) { return true; }));
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a line that is torn anywhere counts for nothing, and spoils no other") {
  const temporary_directory place;
  const std::string path = place / "changes";
  {
    auto first = opened(path);
    add(first, {"1", "inbox", "work", flags{"seen"}});
    add(first, {"2", "inbox", "work", flags{"seen"}});
  }
  const auto whole = std::filesystem::file_size(path);
  const auto line = whole / 2;
  for (auto left = line; left < whole; ++left) {
    CAPTURE(left);
    const std::string torn = place / "torn";
    std::filesystem::remove(torn);
    std::filesystem::copy_file(path, torn);
    std::filesystem::resize_file(torn, left);
    {
      auto next = opened(torn);
      CHECK(placed(next, "1", "work"));
      CHECK_FALSE(placed(next, "2", "work"));
      CHECK_FALSE(placed(next, "2", ""));
      add(next, {"3", "inbox", "work", flags{}});
    }
    const auto then = opened(torn);
    CHECK(placed(then, "1", "work"));
    CHECK_FALSE(placed(then, "2", "work"));
    CHECK(placed(then, "3", "work"));
  }
}

TEST_CASE(
    "what concerns folders that were looked at is forgotten, and the file goes with the last") {
  const temporary_directory place;
  const std::string path = place / "changes";
  auto changes = opened(path);
  REQUIRE(changes.forget([](std::string_view) { return true; }));
  CHECK_FALSE(std::filesystem::exists(path));
  add(changes, {"1", "", "inbox", flags{}});
  add(changes, {"2", "inbox", "work", flags{}});
  add(changes, {"3", "work", "", flags{}});
  REQUIRE(changes.forget([](std::string_view folder) { return folder == "inbox"; }));
  const auto then = opened(path);
  CHECK_FALSE(placed(then, "1", "inbox"));
  CHECK(placed(then, "2", "work"));
  CHECK(placed(then, "3", ""));
  add(changes, {"4", "work", "inbox", flags{}});
  CHECK(placed(opened(path), "4", "inbox"));
  REQUIRE(changes.forget([](std::string_view) { return true; }));
  CHECK_FALSE(std::filesystem::exists(path));
  add(changes, {"5", "", "inbox", flags{}});
  CHECK(placed(opened(path), "5", "inbox"));
}

TEST_CASE("what was looked at since is no run's doing any more") {
  const temporary_directory place;
  const std::string path = place / "changes";
  auto first = opened(path);
  add(first, {"1", "", "inbox", flags{}});
  const auto then = opened(path);
  for (const auto* since : {"7.1.0", "7.1.20", "7.9.20", "7.9.3.30"})
    CHECK(then.did("1", "inbox", {}, since) == share::everything);
  for (const auto* since : {"7.1.21", "8.1.0", "8.1.20", "", "z"})
    CHECK(then.did("1", "inbox", {}, since) == share::nothing);
}
