#include "../retrieval/memory_mail.hpp"
#include "scene.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// Mirrors of mailboxes at a post office, over TLS, while other programs work on either side.

using namespace ima;
using namespace mirror_test;

TEST_CASE(
    "a message that two mailboxes have stays in their common copy until both are without it") {
  scene s;
  const std::vector both{s.give("bob", "both")};
  REQUIRE(s.give("carol", "both") == both[0]);
  const std::vector elsewhere{s.give("here", "delivered here, too")};
  REQUIRE(s.give("bob", "delivered here, too") == elsewhere[0]);
  for (const auto* user : {"bob", "carol", "bob"}) REQUIRE(s.update(user, s.here));
  const auto goes_at = [&](mb::mailbox& box, const std::string& id) {
    REQUIRE(box.take_in());
    REQUIRE(box.remove("inbox", std::vector{id}));
  };
  goes_at(s.bob, both[0]);
  goes_at(s.bob, elsewhere[0]);
  for (const auto* user : {"bob", "carol", "bob"}) REQUIRE(s.update(user, s.here));
  CHECK(whole(s.here, both[0], compose("both", {{"text"}})));
  CHECK(s.here.locate(elsewhere[0]).value());
  // Also where everything is compared afresh.
  REQUIRE(s.bob.compact());
  REQUIRE(s.carol.compact());
  for (const auto* user : {"bob", "carol"}) REQUIRE(s.update(user, s.here));
  CHECK(s.here.locate(both[0]).value());
  goes_at(s.carol, both[0]);
  REQUIRE(s.update("bob", s.here));
  CHECK(s.here.locate(both[0]).value());
  REQUIRE(s.update("carol", s.here));
  CHECK_FALSE(s.here.locate(both[0]).value());
  CHECK(s.here.locate(elsewhere[0]).value());
  // And it is as any other where it comes again.
  REQUIRE(s.carol.forget_deletion(both));
  REQUIRE(s.give("carol", "both") == both[0]);
  REQUIRE(s.update("carol", s.here));
  CHECK(s.here.locate(both[0]).value());
  goes_at(s.carol, both[0]);
  REQUIRE(s.update("carol", s.here));
  CHECK_FALSE(s.here.locate(both[0]).value());
}

namespace {

mb::mailbox repaired(const std::string& path) {
  REQUIRE(mb::mailbox::repair(files, path, {":memory:"}));
  return mb::mailbox::open(files, path, {":memory:"}).value();
}

void lose_files(const std::string& path, const std::string& id) {
  REQUIRE(std::filesystem::remove(path + "/msg/" + id.substr(0, 2) + "/" + id + ".ima"));
}

}  // namespace

TEST_CASE(
    "a copy that lost messages has them again once it is repaired, and nothing else changes") {
  scene s;
  const std::vector lost{s.give("bob", "lost")};
  const std::vector kept{s.give("bob", "kept")};
  const std::vector deleted{s.give("bob", "deleted")};
  REQUIRE(s.bob.take_in());
  REQUIRE(s.bob.copy("inbox", "inbox", lost));
  REQUIRE(s.update("bob", s.here));
  REQUIRE(s.here.status("inbox").value().messages == 4);
  REQUIRE(s.here.set_flags("inbox", kept, {{"seen"}, {}, {}}));
  REQUIRE(s.here.remove("inbox", deleted));
  const auto all = s.here.changes("inbox", "0", 10).value();
  for (const auto& entry : all.entries)
    if (!entry.gone && entry.id.starts_with(lost[0])) lose_files(s.place / "here", entry.id);
  s.here = repaired(s.place / "here");
  REQUIRE(s.here.status("inbox").value().messages == 1);
  REQUIRE(s.update("bob", s.here));
  CHECK(whole(s.here, lost[0], compose("lost", {{"text"}})));
  CHECK(s.here.status("inbox").value().messages == 3);
  CHECK_FALSE(s.here.locate(deleted[0]).value());
  CHECK(s.here.locate(kept[0]).value()->message.flags == std::vector<std::string>{"seen"});
  CHECK(s.complaints.empty());
  // One that is deleted after the repair stays so.
  REQUIRE(s.here.remove("inbox", lost));
  REQUIRE(s.update("bob", s.here));
  CHECK_FALSE(s.here.locate(lost[0]).value());
}

TEST_CASE("what was changed here right before a compaction stays here, which is said once") {
  scene s;
  const std::vector ids{s.give("bob", "flags")};
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.set_flags("inbox", ids, {{"seen"}, {}, {}}));
  REQUIRE(s.here.compact());
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.complaints.size() == 1);
  CHECK(s.complaints[0].starts_with("inbox: the directory was repaired or compacted"));
  CHECK(s.here.locate(ids[0]).value()->message.flags == std::vector<std::string>{"seen"});
  REQUIRE(s.here.set_flags("inbox", ids, {{"flagged"}, {}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  CHECK(s.complaints.size() == 1);
  CHECK(s.bob.locate(ids[0]).value()->message.flags == std::vector<std::string>{"flagged", "seen"});
}

TEST_CASE("damaged notes of a copy keep nothing out, whatever they were about") {
  for (const bool two_way : {false, true})
    for (const auto* damage : {"zzz\n", "z", "-", " ", "\n", "0\nseen flagged"}) {
      CAPTURE(damage);
      scene s;
      const std::vector ids{s.give("bob", "one")};
      REQUIRE(s.bob.take_in());
      REQUIRE(s.bob.copy("inbox", "inbox", ids));
      REQUIRE(s.update("bob", s.here, two_way));
      REQUIRE(s.update("bob", s.here, two_way));
      for (const auto& note : std::filesystem::directory_iterator(s.place / "here/sync"))
        std::ofstream(note.path(), std::ios::trunc) << damage;
      const auto two = s.give("bob", "two");
      REQUIRE(s.update("bob", s.here, two_way));
      REQUIRE(s.update("bob", s.here, two_way));
      CHECK(s.here.locate(two).value());
      CHECK(s.here.status("inbox").value().messages == 3);
      CHECK(s.bob.status("inbox").value().messages == 3);
    }
}

TEST_CASE("a message with as many flags as may be goes both ways") {
  scene s;
  const std::vector ids{s.give("bob", "flags")};
  REQUIRE(s.bob.take_in());
  mb::flag_change most;
  for (int i = 0; i < 64; ++i) most.add.push_back(fmt::format("k{}", i));
  REQUIRE(s.bob.set_flags("inbox", ids, most));
  REQUIRE(s.update("bob", s.here, true));
  CHECK(s.here.locate(ids[0]).value()->message.flags.size() == 64);
  // The flag has room there only once the other has gone.
  REQUIRE(s.here.set_flags("inbox", ids, {{"seen"}, {"k0"}, {}}));
  REQUIRE(s.bob.set_flags("inbox", ids, {{"junk"}, {"k0"}, {}}));
  REQUIRE(s.here.set_flags("inbox", ids, {{"k1"}, {}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  REQUIRE(s.here.set_flags("inbox", ids, {{"seen"}, {"junk"}, {}}));
  REQUIRE(s.update("bob", s.here, true));
  const auto there = s.bob.locate(ids[0]).value()->message.flags;
  CHECK(there == s.here.locate(ids[0]).value()->message.flags);
  CHECK(there.size() == 64);
  CHECK(std::ranges::count(there, "seen") == 1);
  CHECK(s.complaints.empty());
}

TEST_CASE("a record that a post office made up keeps no other message out") {
  scene s;
  memory_mail::store store;
  const auto odd = compose("odd", {});
  const auto good = compose("good", {});
  const std::string odd_id = odd.header.id_digest().hex();
  const std::string good_id = good.header.id_digest().hex();
  store.inbox[odd_id] = {std::string(odd.header.text()), {}, {}, 1, "ima-record: 1\ntls: a\tb\n\n"};
  store.inbox[good_id] = {std::string(good.header.text()), {}, {}, 2};
  memory_mail::users users{store};
  const running_server server(users);
  auto client = server.connect("bob");
  auto downloads = mirror::download_folder::open(s.place / "here").value();
  mirror::mirror copy(client, s.here, downloads,
                      {s.place / "here", "b.example\nbob", {}, {}, {}, {}});
  REQUIRE(copy.update([](const auto&) {}, [](const auto&) {}));
  REQUIRE(copy.failures().size() == 1);
  CHECK(copy.failures()[0].place == "inbox/" + odd_id);
  CHECK(s.here.locate(good_id).value());
  CHECK_FALSE(s.here.locate(odd_id).value());
}
