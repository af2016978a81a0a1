#include "scene.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Two-way mirrors that are stopped at any moment, or during which people work at any moment.

using namespace ima;
using namespace mirror_test;

TEST_CASE(
    "what is moved here at any moment of a run is moved there in the end, and never deleted") {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  REQUIRE(s.update("bob", local, true));
  bool moved = true;
  for (int moment = 1; moved; ++moment) {
    CAPTURE(moment);
    const std::vector ids{s.give("bob", fmt::format("{}", moment))};
    REQUIRE(s.update("bob", local, true));
    REQUIRE(s.here.find("inbox", ids[0]).value());
    int looks = 0;
    moved = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      moved = true;
      REQUIRE(s.here.create_folder("kept"));
      REQUIRE(s.here.move("inbox", "kept", ids));
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    CHECK(s.bob.locate(ids[0]).value());
    REQUIRE(s.update("bob", local, true));
    const auto there = s.bob.locate(ids[0]).value();
    REQUIRE(there);
    if (!moved) continue;
    CHECK(there->folder == "kept");
    for (auto* box : {&s.bob, &s.here}) {
      REQUIRE(box->remove("kept", ids));
      REQUIRE(box->delete_folder("kept"));
    }
    REQUIRE(s.update("bob", local, true));
  }
  CHECK(s.complaints.empty());
}

namespace {

// Stops a run at each change that it makes here, one after the other. People change something
// before it and after it; once the next run is through, all is as expected on both sides.
void stop_everywhere(const change& before, const change& after, const std::string& in_the_end) {
  scene s;
  bool stopped = true;
  for (std::uint64_t moment = 1; stopped; ++moment) {
    CAPTURE(moment);
    const auto id = give_to_work(s, fmt::format("{}", moment));
    before(s, id);
    stopped = stop_run(s, moment);
    after(s, id);
    ends_as(s, id, in_the_end);
    if (where(s.bob, id) != "") REQUIRE(s.bob.remove("work", std::vector{id}));
  }
  CHECK(s.complaints.empty());
}

}  // namespace

TEST_CASE("what a run did that was stopped at any moment is never taken for a person's work") {
  const auto file_elsewhere = [](scene& s, const std::string& id) {
    move(s.bob, id, "work", "inbox");
    set(s.bob, "inbox", id, {{"flagged"}, {}, {}});
  };
  const auto file_back = [](scene& s, const std::string& id) {
    move(s.bob, id, "inbox", "work");
    set(s.bob, "work", id, {{}, {"flagged"}, {}});
  };
  SUBCASE("a message was moved and flagged") {
    stop_everywhere(file_elsewhere, file_back, "work: ");
  }
  SUBCASE("and everything is listed afresh") {
    stop_everywhere(
        file_elsewhere,
        [&](scene& s, const std::string& id) {
          file_back(s, id);
          REQUIRE(s.bob.compact());
        },
        "work: ");
  }
  SUBCASE("a folder had another name for a while") {
    stop_everywhere(
        [](scene& s, const std::string&) { REQUIRE(s.bob.rename_folder("work", "play")); },
        [](scene& s, const std::string&) { REQUIRE(s.bob.rename_folder("play", "work")); },
        "work: ");
  }
  SUBCASE("and its messages were flagged here meanwhile") {
    stop_everywhere(
        [](scene& s, const std::string&) { REQUIRE(s.bob.rename_folder("work", "play")); },
        [](scene& s, const std::string& id) {
          REQUIRE(s.bob.rename_folder("play", "work"));
          const auto now = s.here.locate(id).value();
          REQUIRE(s.here.set_flags(now->folder, std::vector{id}, {{"flagged"}, {}, {}}));
        },
        "work: flagged");
  }
}

TEST_CASE("what is taken back here after a run that sent it was stopped is taken back there") {
  stop_everywhere(
      [](scene& s, const std::string& id) {
        move(s.here, id, "work", "inbox");
        set(s.here, "inbox", id, {{"seen"}, {}, {}});
      },
      [](scene& s, const std::string& id) {
        move(s.here, id, "inbox", "work");
        set(s.here, "work", id, {{}, {"seen"}, {}});
      },
      "work: ");
}

TEST_CASE(
    "what is taken back here after stopped runs brought the message, and sent that, is sent") {
  scene s;
  REQUIRE(s.update("bob", s.here, true));
  bool stopped = true;
  for (std::uint64_t moment = 1; stopped; ++moment) {
    CAPTURE(moment);
    const auto id = s.give("bob", fmt::format("{}", moment));
    stop_run(s, moment);
    const bool is_here = where(s.here, id) != "";
    if (is_here) set(s.here, "inbox", id, {{"seen"}, {}, {}});
    stopped = stop_run(s, moment);
    if (is_here) set(s.here, "inbox", id, {{}, {"seen"}, {}});
    if (moment % 2 == 0) REQUIRE(s.update("bob", s.here));
    ends_as(s, id, "inbox: ");
  }
  CHECK(s.complaints.empty());
}

TEST_CASE("what was filed here by a run that was stopped, and moved back, goes if it does there") {
  scene s;
  REQUIRE(s.bob.create_folder("work"));
  bool stopped = true;
  for (std::uint64_t moment = 1; stopped; ++moment) {
    CAPTURE(moment);
    const auto id = s.give("bob", fmt::format("{}", moment));
    REQUIRE(s.update("bob", s.here, true));
    move(s.bob, id, "inbox", "work");
    REQUIRE(s.bob.compact());
    stopped = stop_run(s, moment);
    REQUIRE(s.bob.remove("work", std::vector{id}));
    if (where(s.here, id) == "work: ") move(s.here, id, "work", "inbox");
    ends_as(s, id, "");
  }
  CHECK(s.complaints.empty());
}

namespace {

// At each moment of a run, one after the other, people take back here what it has just brought of a
// change of bob's, if it has; then that counts on both sides.
void take_back_everywhere(const change& there, const std::string& brought, const change& back,
                          const change& back_after) {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  bool looked = true;
  bool taken = false;
  for (int moment = 1; looked; ++moment) {
    CAPTURE(moment);
    const auto id = give_to_work(s, fmt::format("{}", moment));
    there(s, id);
    int looks = 0;
    bool back_now = false;
    looked = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      looked = true;
      back_now = where(s.here, id) == brought;
      if (back_now) back(s, id);
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    taken = taken || back_now;
    ends_as(s, id, back_now ? "work: " : brought);
    if (!back_now) back_after(s, id);
    ends_as(s, id, "work: ");
  }
  CHECK(taken);
  CHECK(s.complaints.empty());
}

}  // namespace

TEST_CASE("what is taken back here in the run that brought it is taken back there") {
  const auto move_out = [](scene& s, const std::string& id) { move(s.bob, id, "work", "inbox"); };
  const auto move_back = [](scene& s, const std::string& id) { move(s.here, id, "inbox", "work"); };
  const auto set_flag = [](scene& s, const std::string& id) {
    set(s.bob, "work", id, {{"flagged"}, {}, {}});
  };
  const auto unset_flag = [](scene& s, const std::string& id) {
    set(s.here, "work", id, {{}, {"flagged"}, {}});
  };
  SUBCASE("a message was moved") {
    take_back_everywhere(move_out, "inbox: ", move_back, move_back);
  }
  SUBCASE("a message was flagged") {
    take_back_everywhere(set_flag, "work: flagged", unset_flag, unset_flag);
  }
}

TEST_CASE("what both sides do at any moment of a run, and one undoes, is the same on both") {
  scene s;
  REQUIRE(s.bob.create_folder("work"));
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  bool looked = true;
  bool flagged = false;
  for (int moment = 1; looked; ++moment) {
    CAPTURE(moment);
    const auto id = s.give("bob", fmt::format("{}", moment));
    REQUIRE(s.update("bob", s.here, true));
    move(s.here, id, "inbox", "work");
    int looks = 0;
    looked = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      looked = true;
      if (where(s.bob, id) != "work: ") return;
      flagged = true;
      for (auto* box : {&s.bob, &s.here}) set(*box, "work", id, {{"flagged"}, {}, {}});
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    set(s.bob, "work", id, {{}, {"flagged"}, {}});
    for (int run = 0; run < 2; ++run) {
      REQUIRE(s.update("bob", s.here, true));
      CHECK(where(s.bob, id) == where(s.here, id));
    }
  }
  CHECK(flagged);
  CHECK(s.complaints.empty());
}

TEST_CASE("a folder that is renamed there at any moment of a run stops it for now at most") {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  REQUIRE(s.bob.create_folder("1"));
  const auto id = s.give("bob", "mail");
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.move("inbox", "1", std::vector{id}));
  REQUIRE(s.update("bob", local, true));
  bool stopped = false;
  bool renamed = true;
  for (int moment = 1; renamed; ++moment) {
    CAPTURE(moment);
    int looks = 0;
    renamed = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      renamed = true;
      REQUIRE(s.bob.rename_folder(fmt::format("{}", moment), fmt::format("{}", moment + 1)));
    };
    const auto done = s.update("bob", local, true);
    disk.on_look = [] {};
    if (!done) CHECK(done.error().kind == fault::temporary);
    stopped = stopped || !done;
    REQUIRE(s.update("bob", local, true));
    is_on_both(s, id, fmt::format("{}: ", renamed ? moment + 1 : moment));
  }
  CHECK(stopped);
  CHECK(s.complaints.empty());
}

TEST_CASE("a copy that a run stored which was stopped at any moment is here once, and goes once") {
  scene s;
  const auto id = give_to_work(s, "mail");
  const std::uint64_t others = 1;
  bool stopped = true;
  for (std::uint64_t moment = 1; stopped; ++moment) {
    CAPTURE(moment);
    const auto before = s.bob.status("work").value().token;
    REQUIRE(s.bob.copy("work", "work", std::vector{id}));
    stopped = stop_run(s, moment);
    if (moment % 2 == 0) {
      REQUIRE(s.update("bob", s.here, true));
      CHECK(s.here.status("work").value().messages == others + 1);
    }
    const auto made = s.bob.changes("work", before, 10).value().entries;
    REQUIRE(made.size() == 1);
    REQUIRE(s.bob.remove("work", std::vector{made[0].id}));
    for (int run = 0; run < 2; ++run) {
      REQUIRE(s.update("bob", s.here, true));
      CHECK(s.here.status("work").value().messages == others);
    }
  }
  CHECK(s.complaints.empty());
}

TEST_CASE(
    "what is flagged here in a new folder at any moment of the run that sends it is flagged") {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  bool flagged = true;
  for (int moment = 1; flagged; ++moment) {
    CAPTURE(moment);
    const auto id = give_to_work(s, fmt::format("{}", moment));
    REQUIRE(s.here.create_folder("new"));
    move(s.here, id, "work", "new");
    int looks = 0;
    flagged = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      flagged = true;
      set(s.here, "new", id, {{"seen"}, {}, {}});
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    REQUIRE(s.update("bob", local, true));
    ends_as(s, id, flagged ? "new: seen" : "new: ");
    for (auto* box : {&s.bob, &s.here}) {
      REQUIRE(box->remove("new", std::vector{id}));
      REQUIRE(box->delete_folder("new"));
    }
    REQUIRE(s.update("bob", s.here, true));
  }
  CHECK(s.complaints.empty());
}

TEST_CASE("what goes there during a run goes here, though it is moved at any moment of it") {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  REQUIRE(s.here.create_folder("mine"));
  bool moved = true;
  for (int moment = 1; moved; ++moment) {
    CAPTURE(moment);
    const auto id = give_to_work(s, fmt::format("{}", moment));
    REQUIRE(s.bob.remove("work", std::vector{id}));
    int looks = 0;
    moved = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      moved = true;
      move(s.here, id, "work", "mine");  // which it may have left
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    ends_as(s, id, "");
  }
  CHECK(s.complaints.empty());
}

namespace {

// A message here, or the copy of it that is here.
std::optional<mb::search_hit> find_here(scene& s, const std::string& digest, bool a_copy) {
  for (const auto* folder : {"work", "inbox"}) {
    const auto page = s.here.changes(folder, "0", 1000).value();
    for (const auto& entry : page.entries)
      if (!entry.gone && entry.id.starts_with(digest) && (entry.id != digest) == a_copy)
        return mb::search_hit{folder, entry};
  }
  return std::nullopt;
}

// At each moment of a run that brings a move of bob's, one after the other, people delete the
// message here. Where it had moved here, it is deleted there; else it comes back.
void delete_everywhere(bool a_copy) {
  scene s;
  watched_files disk;
  auto local = mb::mailbox::open(disk, s.place / "here", {":memory:"}).value();
  bool deleted = true;
  for (int moment = 1; deleted; ++moment) {
    CAPTURE(moment);
    auto id = give_to_work(s, fmt::format("{}", moment));
    if (a_copy) {
      const auto before = s.bob.status("work").value().token;
      REQUIRE(s.bob.copy("work", "work", std::vector{id}));
      id = s.bob.changes("work", before, 10).value().entries.at(0).id;
      const auto then = s.here.status("work").value().token;
      REQUIRE(s.update("bob", s.here, true));
      CHECK(s.here.changes("work", then, 10).value().entries.size() == 1);
    }
    const auto digest = id.substr(0, 64);
    move(s.bob, id, "work", "inbox");
    int looks = 0;
    deleted = false;
    bool had_moved = false;
    disk.on_look = [&] {
      if (++looks != moment) return;
      deleted = true;
      const auto at = find_here(s, digest, a_copy);
      if (!at) return;
      had_moved = at->folder == "inbox";
      REQUIRE(s.here.remove(at->folder, std::vector{at->message.id}));
    };
    REQUIRE(s.update("bob", local, true));
    disk.on_look = [] {};
    for (int run = 0; run < 2; ++run) {
      REQUIRE(s.update("bob", s.here, true));
      CHECK(find_here(s, digest, a_copy).has_value() != had_moved);
      CHECK(where(s.bob, id) == (had_moved ? "" : "inbox: "));
    }
  }
  CHECK(s.complaints.empty());
}

}  // namespace

TEST_CASE("what is deleted here at any moment of a run that brings it elsewhere is as documented") {
  SUBCASE("a message") { delete_everywhere(false); }
  SUBCASE("a copy") { delete_everywhere(true); }
}
