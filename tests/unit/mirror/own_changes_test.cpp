#include "mirror/own_changes.hpp"

#include "../mailbox/fixture.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace ima;
using mailbox_test::temporary_directory;
using mirror::own_changes;

namespace {

own_changes opened(const std::string& path) { return own_changes::open(path, true).value(); }

void add(own_changes& to, const own_changes::change& what) {
  REQUIRE(to.will_do(std::span(&what, 1), "7.1.20"));
}

using share = own_changes::share;

bool placed(const own_changes& in, std::string_view id, std::string_view folder) {
  return in.did(id, folder, {}, "7.2.20") != share::nothing;
}

bool made(const own_changes& in, std::string_view id, std::string_view folder,
          std::vector<std::string> flags) {
  return in.did(id, folder, std::move(flags), "7.2.20") == share::everything;
}

}  // namespace

TEST_CASE("what earlier runs did last to a message is known, and what people did since is told") {
  const temporary_directory place;
  const std::string path = place / "changes";
  {
    auto first = opened(path);
    add(first, {"1", "", "inbox", {"seen", "flagged"}});
    add(first, {"2", "inbox", "work", {}});
    add(first, {"2", "work", "work", {"seen"}});
    add(first, {"3", "inbox", "", {}});
    CHECK_FALSE(placed(first, "1", "inbox"));  // that is no earlier one
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
    add(first, {"1", "inbox", "work", {}});
    add(first, {"1", "work", "inbox", {"seen"}});
  }
  const auto then = opened(path);
  CHECK_FALSE(placed(then, "1", "work"));
  CHECK_FALSE(made(then, "1", "work", {}));
  CHECK(made(then, "1", "inbox", {"seen"}));
}

TEST_CASE("a line that is torn anywhere counts for nothing, and spoils no other") {
  const temporary_directory place;
  const std::string path = place / "changes";
  {
    auto first = opened(path);
    add(first, {"1", "inbox", "work", {"seen"}});
    add(first, {"2", "inbox", "work", {"seen"}});
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
      add(next, {"3", "inbox", "work", {}});
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
  add(changes, {"1", "", "inbox", {}});
  add(changes, {"2", "inbox", "work", {}});
  add(changes, {"3", "work", "", {}});
  REQUIRE(changes.forget([](std::string_view folder) { return folder == "inbox"; }));
  const auto then = opened(path);
  CHECK_FALSE(placed(then, "1", "inbox"));
  CHECK(placed(then, "2", "work"));
  CHECK(placed(then, "3", ""));
  add(changes, {"4", "work", "inbox", {}});
  CHECK(placed(opened(path), "4", "inbox"));
  REQUIRE(changes.forget([](std::string_view) { return true; }));
  CHECK_FALSE(std::filesystem::exists(path));
  add(changes, {"5", "", "inbox", {}});
  CHECK(placed(opened(path), "5", "inbox"));
}

TEST_CASE("what was looked at since is no run's doing any more") {
  const temporary_directory place;
  const std::string path = place / "changes";
  auto first = opened(path);
  add(first, {"1", "", "inbox", {}});
  const auto then = opened(path);
  for (const auto* since : {"7.1.0", "7.1.20", "7.9.20", "7.9.3.30"})
    CHECK(then.did("1", "inbox", {}, since) == share::everything);
  for (const auto* since : {"7.1.21", "8.1.0", "8.1.20", "", "z"})
    CHECK(then.did("1", "inbox", {}, since) == share::nothing);
}
