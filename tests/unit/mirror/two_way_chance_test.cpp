#include "scene.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Two-way mirrors while people do anything on both sides, by chance.

using namespace ima;
using namespace mirror_test;

namespace {

// People who do anything to two mailboxes that are to be the same, by chance. Where they leave the
// folders alone, what only one side did to a message is what both have after the next whole run.
class people {
 public:
  struct habits {
    bool one_way;  // some runs are
    bool folders;  // are renamed and deleted
  };
  people(scene& s, unsigned seed, habits are) : s_(s), random_(seed), are_(are) {}

  void work() {
    for (auto times = pick(6); times > 0; --times) change(pick(2) == 0 ? s_.bob : s_.here);
    if (pick(3) == 0) given_.push_back(s_.give("bob", fmt::format("{}", given_.size())));
    REQUIRE(s_.bob.take_in());
    if (pick(12) == 0) REQUIRE(s_.bob.compact());
  }

  // A run that is stopped at some moment, or one that is not.
  void run() {
    if (pick(2) == 0) return finish_run(pick(2) == 0 ? pick(60) : 0);
    mortal_file_system mortal(files);
    auto local = mb::mailbox::open(mortal, s_.place / "here", {":memory:"}).value();
    mortal.changes = 0;
    if (pick(3) > 0) mortal.die_at = 1 + pick(40);
    (void)update(local, !are_.one_way || pick(3) > 0);  // as it may have died
  }

  // One during which something is done at some moment, or nothing.
  void finish_run(std::size_t moment = 0) {
    watched_files disk;
    auto local = mb::mailbox::open(disk, s_.place / "here", {":memory:"}).value();
    std::size_t looks = 0;
    disk.on_look = [&] {
      if (++looks == moment && !are_.folders) change(pick(2) == 0 ? s_.bob : s_.here);
    };
    REQUIRE(update(local, true));
  }

  void compare() {
    CHECK(all(s_.here) == all(s_.bob));
    for (const std::string& id : given_) {
      CAPTURE(id);
      if (!deleted_.contains(id)) CHECK(where(s_.bob, id) != "");
    }
  }

 private:
  using sides = std::set<const mb::mailbox*>;
  std::size_t pick(std::size_t below) { return random_() % below; }

  result<void> update(mb::mailbox& local, bool two_way) {
    const auto before = std::exchange(changed_, {});
    std::map<std::string, std::string> wanted;
    for (const auto& [id, by] : before)
      if (by.size() == 1) wanted[id] = where(by.contains(&s_.bob) ? s_.bob : s_.here, id);
    const auto done = s_.update("bob", local, two_way);
    if (done && two_way && !are_.folders)
      for (const auto& [id, what] : wanted)
        if (!changed_.contains(id)) is_on_both(s_, id, what);
    for (const auto& [id, by] : before)
      if (!done || !two_way || changed_.contains(id)) changed_[id].insert(by.begin(), by.end());
    return done;
  }

  // Each message by its digest, as a copy has ids of its own, with its folder and flags.
  static std::string all(mb::mailbox& box) {
    std::vector<std::string> found;
    const auto folders = box.folders().value();
    for (const auto& folder : folders)
      for (const std::string& id : in(box, folder.name))
        found.push_back(fmt::format("{} {}\n", id.substr(0, 64), where(box, id)));
    std::ranges::sort(found);
    return fmt::format("{}", fmt::join(found, ""));
  }

  static std::vector<std::string> in(mb::mailbox& box, const std::string& folder) {
    std::vector<std::string> ids;
    const auto page = box.changes(folder, "0", 1000).value();
    for (const auto& entry : page.entries)
      if (!entry.gone) ids.push_back(entry.id);
    return ids;
  }

  std::vector<std::string> some_of(mb::mailbox& box, const std::string& folder) {
    auto ids = in(box, folder);
    std::erase_if(ids, [&](const auto&) { return pick(2) == 0; });
    return ids;
  }

  void change(mb::mailbox& box) {
    std::vector<std::string> were;
    for (const std::string& id : given_) were.push_back(where(box, id));
    change_folders(box);
    const auto now = box.folders().value();
    change_messages(box, now[pick(now.size())].name, now[pick(now.size())].name);
    for (std::size_t i = 0; i < given_.size(); ++i)
      if (where(box, given_[i]) != were[i]) changed_[given_[i]].insert(&box);
  }

  void change_folders(mb::mailbox& box) {
    const auto folders = box.folders().value();
    const std::string folder = folders[pick(folders.size())].name;
    const std::string fresh = std::string(1, static_cast<char>('a' + pick(4)));
    switch (pick(4)) {
      case 0:
        (void)box.create_folder(fresh);  // which may be there
        break;
      case 1:
        if (are_.folders) (void)box.rename_folder(folder, fresh);
        break;
      case 2:
        if (are_.folders) (void)box.delete_folder(folder);  // which may hold something
        break;
      default:
        break;
    }
  }

  // A copy made here would be nobody's there; and one way, what was filed here stays though it is
  // deleted there.
  void change_messages(mb::mailbox& box, const std::string& folder, const std::string& other) {
    auto ids = some_of(box, folder);
    const std::string flag = pick(2) == 0 ? "seen" : "flagged";
    switch (pick(7)) {
      case 0:
      case 1:
        REQUIRE(box.move(folder, other, ids));
        break;
      case 2:
        REQUIRE(box.set_flags(folder, ids, {{flag}, {}, {}}));
        break;
      case 3:
        REQUIRE(box.set_flags(folder, ids, {{}, {flag}, {}}));
        break;
      case 4:
        if (&box == &s_.bob && given_.size() < 30) REQUIRE(box.copy(folder, other, ids));
        break;
      case 5:
        if (are_.one_way) break;
        ids.resize(std::min<std::size_t>(ids.size(), 1));
        REQUIRE(box.remove(folder, ids));
        deleted_.insert(ids.begin(), ids.end());
        break;
      default:
        break;
    }
  }

  scene& s_;
  std::mt19937 random_;
  habits are_;
  std::vector<std::string> given_;
  std::set<std::string> deleted_;
  std::map<std::string, sides> changed_;  // since the last whole run, by which side
};

}  // namespace

TEST_CASE(
    "whatever people do on both sides, and wherever runs are stopped, both are the same then") {
  for (const auto are : {people::habits{false, false}, {false, true}, {true, false}, {true, true}})
    for (unsigned seed = 1; seed <= 5; ++seed) {
      CAPTURE(are.one_way);
      CAPTURE(are.folders);
      CAPTURE(seed);
      scene s;
      people them(s, seed, are);
      them.finish_run();
      for (int round = 0; round < 12; ++round) {
        them.work();
        them.run();
      }
      for (int quiet = 0; quiet < 3; ++quiet) them.finish_run();
      them.compare();
      // Of a folder that is another on both sides nobody knows what was done in it.
      for (const std::string& complaint : s.complaints)
        CHECK(complaint.find(": the folder here is another than") != std::string::npos);
    }
}
