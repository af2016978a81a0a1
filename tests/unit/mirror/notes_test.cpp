#include "mirror/notes.hpp"

#include "../mailbox/fixture.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace ima;
using mailbox_test::temporary_directory;
using mirror::notes;

namespace {

const std::string original(64, 'a');
const std::string copy_there = original + "-1";
const std::string copy_here = original + "-2";

mailbox::mailbox make(const std::string& path) {
  auto& disk = mailbox::posix_file_system();
  REQUIRE(mailbox::mailbox::create(disk, path));
  return mailbox::mailbox::open(disk, path).value();
}

}  // namespace

TEST_CASE("a mirror's notes are of one source and one folder, and go with a folder") {
  const temporary_directory place;
  auto box = make(place / "box");
  notes of_b(box, "b.example\nbob");
  notes of_c(box, "c.example\nbob");
  REQUIRE(of_b.set(notes::subject::there, "old", "token"));
  CHECK(of_b.get(notes::subject::there, "old").value() == "token");
  CHECK(of_b.get(notes::subject::here, "old").value().empty());
  CHECK(of_c.get(notes::subject::there, "old").value().empty());
  REQUIRE(of_b.copy("old", "new"));
  REQUIRE(of_b.forget("old"));
  CHECK(of_b.get(notes::subject::there, "old").value().empty());
  CHECK(of_b.get(notes::subject::there, "new").value() == "token");
}

TEST_CASE("a mirror remembers the messages it could not have, as many as a note has room for") {
  const temporary_directory place;
  auto box = make(place / "box");
  notes kept(box, "b.example\nbob");
  notes::messages list;
  list[original] = {
      original, 0, 0, {"flagged", "seen"}, timestamp::parse("2026-11-23T09:30:00Z").value()};
  REQUIRE(kept.set_messages(notes::subject::missed, "inbox", list));
  const auto read = kept.get_messages(notes::subject::missed, "inbox").value();
  REQUIRE(read.size() == 1);
  CHECK(read.at(original).flags == list[original].flags);
  CHECK(read.at(original).arrived.text() == "2026-11-23T09:30:00Z");
  for (int i = 0; i < 1000; ++i) list[original + std::to_string(i)] = list[original];
  const auto refused = kept.set_messages(notes::subject::missed, "inbox", list);
  REQUIRE(!refused);
  CHECK(refused.error().rule == "message-unavailable");
}

TEST_CASE("a mirror knows a copy by its id there and by its id here, until it is gone") {
  const temporary_directory place;
  auto box = make(place / "box");
  notes kept(box, "b.example\nbob");
  CHECK(kept.local_id(original).value() == original);
  CHECK(kept.local_id(copy_there).value().empty());
  REQUIRE(kept.pair(copy_there, copy_here));
  CHECK(kept.local_id(copy_there).value() == copy_here);
  CHECK(kept.remote_id(copy_here).value() == copy_there);
  REQUIRE(kept.unpair(copy_here));
  CHECK(kept.local_id(copy_there).value().empty());
  CHECK(kept.remote_id(copy_here).value().empty());
  CHECK(kept.origin(original) == "b.example bob " + original);
}
