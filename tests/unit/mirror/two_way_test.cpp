#include "scene.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

// Two-way mirrors between runs: what people did on either side, and what comes of it.

using namespace ima;
using namespace mirror_test;

TEST_CASE("what is taken back here after a run that sent it is taken back there") {
  for (const bool one_way_between : {false, true}) {
    scene s;
    const auto id = give_to_work(s, "mail");
    const auto is_sent = [&](const std::string& what) {
      REQUIRE(s.update("bob", s.here, true));
      is_on_both(s, id, what);
    };
    const auto is_taken_back = [&](const std::string& what) {
      if (one_way_between) REQUIRE(s.update("bob", s.here));
      is_sent(what);
    };
    for (int times = 0; times < 2; ++times) {
      set(s.here, "work", id, {{"seen"}, {}, {}});
      is_sent("work: seen");
      set(s.here, "work", id, {{}, {"seen"}, {}});
      is_taken_back("work: ");
      move(s.here, id, "work", "inbox");
      is_sent("inbox: ");
      move(s.here, id, "inbox", "work");
      is_taken_back("work: ");
    }
    CHECK(s.complaints.empty());
  }
}

TEST_CASE("what changes there after a run sent something stays, though that is taken back here") {
  scene s;
  const auto id = give_to_work(s, "mail");
  set(s.here, "work", id, {{"seen"}, {}, {}});
  REQUIRE(s.update("bob", s.here, true));
  SUBCASE("flags") {
    set(s.bob, "work", id, {{"flagged"}, {}, {}});
    set(s.here, "work", id, {{}, {"seen"}, {}});
    ends_as(s, id, "work: flagged seen");
  }
  SUBCASE("the folder") {
    move(s.bob, id, "work", "inbox");
    set(s.here, "work", id, {{}, {"seen"}, {}});
    ends_as(s, id, "inbox: seen");
  }
  SUBCASE("but not where it is there as it was sent") {
    set(s.bob, "work", id, {{"flagged"}, {}, {}});
    set(s.bob, "work", id, {{}, {"flagged"}, {}});
    set(s.here, "work", id, {{}, {"seen"}, {}});
    ends_as(s, id, "work: ");
  }
  SUBCASE("nor where it was something else here and there meanwhile") {
    for (auto* box : {&s.here, &s.bob}) set(*box, "work", id, {{"flagged"}, {"seen"}, {}});
    ends_as(s, id, "work: flagged");
    set(s.bob, "work", id, {{"seen"}, {"flagged"}, {}});
    ends_as(s, id, "work: seen");
  }
  CHECK(s.complaints.empty());
}

TEST_CASE("what is done to messages of a folder that is renamed here goes there") {
  scene s;
  const std::vector ids{s.give("bob", "stays"), s.give("bob", "deleted"), s.give("bob", "flagged"),
                        s.give("bob", "moved there")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.bob.create_folder("other"));
  REQUIRE(s.bob.move("inbox", "work", ids));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.rename_folder("work", "play"));
  REQUIRE(s.here.remove("play", std::vector{ids[1]}));
  REQUIRE(s.here.set_flags("play", std::vector{ids[2]}, {{"flagged"}, {}, {}}));
  REQUIRE(s.bob.move("work", "other", std::vector{ids[3]}));
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "play: ");
    is_on_both(s, ids[1], "");
    is_on_both(s, ids[2], "play: flagged");
    is_on_both(s, ids[3], "other: ");
  }
  // And from then on it is a folder as any other.
  REQUIRE(s.here.set_flags("play", std::vector{ids[0]}, {{"seen"}, {}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  is_on_both(s, ids[0], "play: seen");
  CHECK(s.complaints.empty());
}

TEST_CASE("folders whose names are swapped here are swapped there") {
  scene s;
  const std::vector ids{s.give("bob", "first"), s.give("bob", "second")};
  REQUIRE(s.bob.take_in());
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(s.bob.create_folder(i == 0 ? "a" : "b"));
    REQUIRE(s.bob.move("inbox", i == 0 ? "a" : "b", std::vector{ids[i]}));
  }
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.rename_folder("a", "c"));
  REQUIRE(s.here.rename_folder("b", "a"));
  REQUIRE(s.here.rename_folder("c", "b"));
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "b: ");
    is_on_both(s, ids[1], "a: ");
  }
  CHECK(s.complaints.empty());
}

TEST_CASE("a folder that is emptied and deleted here is emptied there") {
  scene s;
  const std::vector ids{s.give("bob", "deleted"), s.give("bob", "moved")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.bob.move("inbox", "work", ids));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.remove("work", std::vector{ids[0]}));
  REQUIRE(s.here.move("work", "inbox", std::vector{ids[1]}));
  REQUIRE(s.here.delete_folder("work"));
  REQUIRE(s.update("bob", s.here, true));
  is_on_both(s, ids[0], "");
  is_on_both(s, ids[1], "inbox: ");
  CHECK(s.complaints.empty());
}

TEST_CASE("what was done here in a folder that has another name there is done in that") {
  scene s;
  const std::vector ids{s.give("bob", "flagged"), s.give("bob", "deleted"), s.give("bob", "moved"),
                        s.give("bob", "stays")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.bob.move("inbox", "work", ids));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.set_flags("work", std::vector{ids[0]}, {{"flagged"}, {}, {}}));
  REQUIRE(s.here.remove("work", std::vector{ids[1]}));
  REQUIRE(s.here.move("work", "inbox", std::vector{ids[2]}));
  REQUIRE(s.bob.rename_folder("work", "play"));
  for (int run = 0; run < 2; ++run) {
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, ids[0], "play: flagged");
    is_on_both(s, ids[1], "");
    is_on_both(s, ids[2], "inbox: ");
    is_on_both(s, ids[3], "play: ");
  }
  CHECK(s.complaints.empty());
}

TEST_CASE("what is moved out of a folder here that was brought one way goes there") {
  scene s;
  const auto id = s.give("bob", "mail");
  REQUIRE(s.update("bob", s.here));
  REQUIRE(s.bob.create_folder("work"));
  REQUIRE(s.update("bob", s.here, true));
  const auto late = s.give("bob", "late");
  REQUIRE(s.update("bob", s.here));
  move(s.here, id, "inbox", "work");
  move(s.here, late, "inbox", "work");
  ends_as(s, id, "work: ");
  ends_as(s, late, "work: ");
}

TEST_CASE("what was moved here and deleted there is deleted though nobody tells of it any more") {
  scene s;
  const auto id = give_to_work(s, "mail");
  SUBCASE("to a folder that is on both sides") { move(s.here, id, "work", "inbox"); }
  SUBCASE("to one that is only here") {
    REQUIRE(s.here.create_folder("mine"));
    move(s.here, id, "work", "mine");
  }
  bool folder_goes = false;
  SUBCASE("by another name of its folder, which goes there") {
    REQUIRE(s.here.rename_folder("work", "mine"));
    folder_goes = true;
  }
  REQUIRE(s.bob.remove("work", std::vector{id}));
  if (folder_goes)
    REQUIRE(s.bob.delete_folder("work"));
  else
    REQUIRE(s.bob.compact());
  ends_as(s, id, "");
  CHECK(s.complaints.empty());
}

TEST_CASE("what was moved here to a folder of one's own, and back by the post office, is no news") {
  scene s;
  const auto id = give_to_work(s, "mail");
  REQUIRE(s.here.create_folder("mine"));
  move(s.here, id, "work", "mine");
  set(s.bob, "work", id, {{"flagged"}, {}, {}});
  ends_as(s, id, "work: flagged");
  REQUIRE(s.bob.create_folder("other"));
  move(s.bob, id, "work", "other");
  REQUIRE(s.bob.compact());
  ends_as(s, id, "other: flagged");
  CHECK(s.complaints.empty());
}

TEST_CASE("a folder that went on both sides says nothing of a new one of its name") {
  scene s;
  const auto old = give_to_work(s, "old");
  for (auto* box : {&s.bob, &s.here}) {
    REQUIRE(box->remove("work", std::vector{old}));
    REQUIRE(box->delete_folder("work"));
  }
  REQUIRE(s.update("bob", s.here, true));
  const auto fresh = s.give("bob", "new");
  SUBCASE("there") {
    REQUIRE(s.bob.take_in());
    REQUIRE(s.bob.create_folder("work"));
    move(s.bob, fresh, "inbox", "work");
  }
  SUBCASE("here") {
    REQUIRE(s.update("bob", s.here, true));
    REQUIRE(s.here.create_folder("work"));
    move(s.here, fresh, "inbox", "work");
  }
  ends_as(s, fresh, "work: ");
  set(s.here, "work", fresh, {{"seen"}, {}, {}});
  ends_as(s, fresh, "work: seen");
  CHECK(s.complaints.empty());
}

TEST_CASE("what is moved back here that one-way runs moved, and people flagged, is moved there") {
  for (const auto& [from, to] : {std::pair("inbox", "work"), std::pair("work", "inbox")}) {
    scene s;
    REQUIRE(s.bob.create_folder("work"));
    const auto id = s.give("bob", "mail");
    REQUIRE(s.bob.take_in());
    move(s.bob, id, "inbox", from);
    REQUIRE(s.update("bob", s.here, true));
    move(s.bob, id, from, to);
    REQUIRE(s.update("bob", s.here));
    set(s.here, to, id, {{"seen"}, {}, {}});
    REQUIRE(s.update("bob", s.here, true));
    is_on_both(s, id, fmt::format("{}: seen", to));
    move(s.here, id, to, from);
    ends_as(s, id, fmt::format("{}: seen", from));
    CHECK(s.complaints.empty());
  }
}

namespace {

// How many notes are an id of this length: of each copy there is one for either side.
std::size_t noted_ids(scene& s, std::size_t length) {
  std::size_t notes = 0;
  for (const auto& note : std::filesystem::directory_iterator(s.place / "here/sync"))
    notes += std::filesystem::file_size(note) == length ? 1 : 0;
  return notes;
}

}  // namespace

TEST_CASE("a copy that went through another folder here before it was deleted is deleted there") {
  scene s;
  const auto id = give_to_work(s, "mail");
  const auto before = s.bob.status("work").value().token;
  const auto then = s.here.status("work").value().token;
  REQUIRE(s.bob.copy("work", "work", std::vector{id}));
  REQUIRE(s.update("bob", s.here, true));
  const auto there = s.bob.changes("work", before, 10).value().entries.at(0).id;
  const auto here = s.here.changes("work", then, 10).value().entries.at(0).id;
  CHECK(noted_ids(s, here.size()) == 2);
  SUBCASE("at once") { move(s.here, here, "work", "inbox"); }
  SUBCASE("and moved there, where it was before") {
    move(s.here, here, "work", "inbox");
    move(s.bob, there, "work", "inbox");
    REQUIRE(s.update("bob", s.here, true));
  }
  SUBCASE("and deleted there, too") {
    move(s.here, here, "work", "inbox");
    REQUIRE(s.bob.remove("work", std::vector{there}));
  }
  REQUIRE(s.here.remove("inbox", std::vector{here}));
  REQUIRE(s.update("bob", s.here, true));
  CHECK(where(s.bob, there) == "");
  CHECK(s.here.status("work").value().messages == 1);
  CHECK(s.here.status("inbox").value().messages == 0);
  CHECK(s.complaints.empty());
  CHECK(noted_ids(s, here.size()) == 0);
}

TEST_CASE("where a folder is another on both sides the post office counts, which is said") {
  scene s;
  const auto id = give_to_work(s, "mail");
  set(s.here, "work", id, {{"flagged"}, {}, {}});
  REQUIRE(s.update("bob", s.here, true));
  set(s.here, "work", id, {{"seen"}, {}, {}});
  REQUIRE(s.here.rename_folder("work", "old"));
  REQUIRE(s.here.create_folder("work"));
  REQUIRE(s.bob.compact());
  ends_as(s, id, "work: flagged");
  REQUIRE(s.complaints.size() == 1);
  CHECK(s.complaints[0].find("work: the folder here is another than") != std::string::npos);
}
