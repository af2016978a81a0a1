#include "mirror/notes.hpp"

#include "../mailbox/fixture.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

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

// As a run leaves it that is stopped before it takes in what it stored; returns the id.
std::string stored_apart(const std::string& path, const mailbox_test::message& what) {
  auto to = mailbox_test::target_at(path);
  to.apart = true;
  auto into =
      mailbox::delivery::begin(mailbox::posix_file_system(), what.header, {std::move(to)}).value();
  const std::string id = into.id(0);
  body_reader reader(what.header);
  octets rest = what.body;
  while (const auto slice = reader.next(rest).value()) REQUIRE(into.write(*slice));
  CHECK(into.commit().front().value().id == id);
  return id;
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

TEST_CASE("a mirror knows a copy that came though nobody could note it any more") {
  const temporary_directory place;
  auto box = make(place / "box");
  notes kept(box, "b.example\nbob");
  const auto one = mailbox_test::compose("one", {{"text"}});
  const std::string there = one.header.id_digest().hex() + "-1";
  const std::string here = stored_apart(place / "box", one);
  REQUIRE(kept.expect(there, here));
  CHECK(kept.local_id(there).value().empty());  // it was not taken in yet
  REQUIRE(box.take_in());
  CHECK(kept.local_id(there).value() == here);
  CHECK(kept.remote_id(here).value() == there);
}

TEST_CASE("a copy that goes takes no note of another that came in its place") {
  const temporary_directory place;
  auto box = make(place / "box");
  notes kept(box, "b.example\nbob");
  const std::string next_here = original + "-3";
  REQUIRE(kept.pair(copy_there, copy_here));
  REQUIRE(kept.pair(copy_there, next_here));
  REQUIRE(kept.unpair(copy_here));
  CHECK(kept.local_id(copy_there).value() == next_here);
  CHECK(kept.remote_id(next_here).value() == copy_there);
  CHECK(kept.remote_id(copy_here).value().empty());
}
