#include "mirror/downloads.hpp"

#include "../mailbox/fixture.hpp"

#include <ima/mirror/download_folder.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace ima;
using mailbox_test::temporary_directory;
using mirror::download_folder;

TEST_CASE("a folder of downloads is one program's at a time") {
  const temporary_directory place;
  const std::string path = place / "";
  {
    const auto first = download_folder::open(path);
    REQUIRE(first);
    const auto second = download_folder::open(path);
    REQUIRE(!second);
    CHECK(second.error().kind == fault::temporary);
    CHECK(second.error().rule == "fetch-running");
  }
  CHECK(download_folder::open(path));
}

TEST_CASE("there is no folder of downloads beside a mailbox that does not exist") {
  const temporary_directory place;
  const auto made = download_folder::open(place / "none");
  REQUIRE(!made);
  CHECK(made.error().rule == "storage");
}
