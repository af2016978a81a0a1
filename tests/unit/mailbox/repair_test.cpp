#include "fixture.hpp"
#include "mailbox/journal.hpp"

#include <fstream>
#include <map>

using namespace mailbox_test;
using namespace std::string_literals;

namespace {

auto& files = mb::posix_file_system();

struct wreck {
  temporary_directory dir;
  std::string path = dir / "bob";
  message one = compose("one", {{"1"}});
  message two = compose("two", {{"2"}, {"JPEG", "image/jpeg", "a.jpg"}});
  std::string copy;

  wreck() {
    REQUIRE(mb::mailbox::create(files, path));
    REQUIRE(deliver(files, one, path));
    REQUIRE(deliver(files, two, path));
    auto box = mb::mailbox::open(files, path).value();
    REQUIRE(box.take_in());
    REQUIRE(box.create_folder("kept", "archive"));
    const std::vector first{one.header.id_digest().hex()};
    const std::vector second{two.header.id_digest().hex()};
    REQUIRE(box.move("inbox", "kept", first));
    REQUIRE(box.set_flags("kept", first, {{"seen"}, {}, {}}));
    copy = box.copy("inbox", "kept", second).value().front();
  }

  std::string journal() const {
    std::ifstream in(path + "/journal");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(std::string_view text) const { std::ofstream(path + "/journal") << text; }

  // Everything is where it was, and as it was.
  void check_folders(mb::mailbox& box) const {
    CHECK(box.folders()->back().role == "archive");
    CHECK(box.find("kept", one.header.id_digest().hex()).value()->flags == std::vector{"seen"s});
    CHECK(box.find("inbox", two.header.id_digest().hex()).value());
    CHECK(box.find("kept", copy).value());
  }

  // Everything is somewhere, whole.
  void check_all(mb::mailbox& box) const {
    std::map<std::string, std::string> places;
    const auto folders = box.folders().value();
    for (const auto& f : folders)
      for (const auto& e : all(box, f.name)) places[e.id] = f.name;
    CHECK(places.size() == 3);
    CHECK(whole(box, one.header.id_digest().hex(), one, places[one.header.id_digest().hex()]));
    CHECK(whole(box, two.header.id_digest().hex(), two, places[two.header.id_digest().hex()]));
    CHECK(whole(box, copy, two, places[copy]));
    CHECK(box.quota()->messages == 3);
    const auto found = box.check(true).value();
    CHECK(found.missing.empty());
    CHECK(found.damaged.empty());
    CHECK(found.strays == 0);
  }
};

}  // namespace

TEST_CASE("a compaction keeps everything but the past, in its order, for whoever is at work") {
  const wreck w;
  auto at_work = mb::mailbox::open(files, w.path, {w.dir / "another-index"}).value();
  const std::string token = at_work.status("kept")->token;
  const auto before = all(at_work, "kept");
  for (int i = 0; i < 50; ++i) {
    const std::vector id{w.copy};
    REQUIRE(at_work.set_flags("kept", id, {{"flagged"}, {}, {}}));
    REQUIRE(at_work.set_flags("kept", id, {{}, {"flagged"}, {}}));
  }
  const auto long_one = w.journal().size();
  auto box = mb::mailbox::open(files, w.path).value();
  REQUIRE(box.compact());
  CHECK(w.journal().size() < long_one / 10);
  CHECK(at_work.changes("kept", token, 10).error().rule == "resync");
  const auto after = all(at_work, "kept");
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].id == before[i].id);
    CHECK(after[i].flags == before[i].flags);
    CHECK(after[i].arrived == before[i].arrived);
  }
  w.check_all(box);
  w.check_all(at_work);
  const std::vector id{w.copy};
  REQUIRE(at_work.remove("kept", id));
  CHECK(box.quota()->messages == 2);
}

TEST_CASE("a repair keeps what whole lines say, and every message that no line names") {
  const wreck w;
  const std::string good = w.journal();
  // The line of one append after the other is damaged.
  for (std::size_t at = good.find('\n') + 5; at < good.size(); at = good.find('\n', at) + 5) {
    CAPTURE(at);
    std::string bad = good;
    bad[at] ^= 1;
    w.replace(bad);
    std::filesystem::remove(w.path + "/index");
    REQUIRE(mb::mailbox::repair(files, w.path));
    auto box = mb::mailbox::open(files, w.path).value();
    w.check_all(box);
    if (good.find('\n', at) == std::string::npos) break;
  }
}

TEST_CASE("a repair of a journal that is gone, empty or another's finds every message") {
  for (const auto* text : {"", "rubbish\n", "ima-journal 1 x\n"}) {
    const wreck w;
    w.replace(text);
    if (*text == '\0') std::filesystem::remove(w.path + "/journal");
    REQUIRE(mb::mailbox::repair(files, w.path));
    auto box = mb::mailbox::open(files, w.path).value();
    w.check_all(box);
    CHECK(box.folders()->front().role == "inbox");
  }
}

TEST_CASE("a repair that is not needed leaves the journal, and one that is makes tokens resync") {
  const wreck w;
  auto box = mb::mailbox::open(files, w.path).value();
  const std::string token = box.status("kept")->token;
  REQUIRE(mb::mailbox::repair(files, w.path));
  CHECK(box.changes("kept", token, 10));
  std::string bad = w.journal();
  bad[bad.find("archive")] = 'x';
  w.replace(bad);
  REQUIRE(mb::mailbox::repair(files, w.path));
  // Whoever has it open goes on with the new one.
  CHECK(box.changes("inbox", token, 10).error().rule == "resync");
  w.check_all(box);
}

TEST_CASE("a repair drops what the journal names in vain, and says so") {
  const wreck w;
  const std::string id = w.one.header.id_digest().hex();
  std::filesystem::remove(w.path + "/msg/" + id.substr(0, 2) + "/" + id + ".ima");
  CHECK(mb::mailbox::repair(files, w.path)->missing == std::vector{id});
  auto box = mb::mailbox::open(files, w.path).value();
  CHECK(box.check()->missing.empty());
  CHECK(all(box, "kept").size() == 1);
  CHECK(all(box, "inbox").size() == 1);
}

TEST_CASE("a look at the contents names what is not what it was") {
  const wreck w;
  auto box = mb::mailbox::open(files, w.path).value();
  CHECK(box.check(true)->damaged.empty());
  const std::string id = w.two.header.id_digest().hex();
  std::ofstream(w.path + "/msg/" + id.substr(0, 2) + "/" + id + "/2-a.jpg") << "JPEX";
  // The copy is the same file.
  CHECK(box.check(true)->damaged.size() == 2);
  CHECK(box.check()->damaged.empty());
}

TEST_CASE("damage that this host's index has passed is found, and repaired without a loss") {
  const wreck w;
  const std::string good = w.journal();
  std::string bad = good;
  bad[bad.find("archive")] ^= 1;
  auto box = mb::mailbox::open(files, w.path).value();
  const std::string token = box.status("kept")->token;
  // As a disk does it, in the same file.
  std::fstream(w.path + "/journal") << bad;
  CHECK(all(box, "kept").size() == 2);
  CHECK(box.check().error().rule == "journal-damaged");
  CHECK(box.rebuild().error().rule == "journal-damaged");
  w.check_folders(box);
  CHECK(mb::mailbox::open(files, w.path)->folders().value().size() == 2);
  REQUIRE(mb::mailbox::repair(files, w.path));
  CHECK(box.changes("kept", token, 10).error().rule == "resync");
  w.check_folders(box);
  w.check_all(box);
  REQUIRE(box.rebuild());
  w.check_folders(box);
}

TEST_CASE("an index is made anew when asked") {
  const wreck w;
  auto box = mb::mailbox::open(files, w.path).value();
  REQUIRE(box.rebuild());
  w.check_all(box);
}

TEST_CASE("a repair makes every directory that a backup left out, and mail comes in again") {
  for (const std::string name : {"tmp", "new", "sync", "gone", "msg/00", "gone/ff"}) {
    CAPTURE(name);
    const wreck w;
    std::filesystem::remove_all(w.path + "/" + name);
    const auto found = mb::mailbox::open(files, w.path)->check().value();
    CHECK(found.absent.front() == (name == "gone" ? "gone/00" : name));
    CHECK(mb::mailbox::repair(files, w.path)->absent.front() == name);
    auto box = mb::mailbox::open(files, w.path).value();
    w.check_all(box);
    CHECK(box.check()->absent.empty());
    REQUIRE(deliver(files, compose("late", {{"3"}}), w.path));
    CHECK(box.take_in().value() == 1);
  }
}

TEST_CASE("a mailbox that lost its file 'format' is not made anew, and a repair gives it back") {
  const wreck w;
  const std::string before = w.journal();
  std::filesystem::remove(w.path + "/format");
  CHECK(mb::mailbox::open(files, w.path).error().rule == "mailbox-format");
  CHECK(mb::mailbox::create(files, w.path).error().rule == "mailbox-exists");
  CHECK(w.journal() == before);
  REQUIRE(mb::mailbox::repair(files, w.path));
  CHECK(w.journal() == before);
  auto box = mb::mailbox::open(files, w.path).value();
  w.check_all(box);
}

TEST_CASE("a repair makes no mailbox where there is none, nor of another version") {
  const temporary_directory dir;
  CHECK(mb::mailbox::repair(files, dir / "none").error().rule == "mailbox-format");
  CHECK_FALSE(std::filesystem::exists(dir / "none"));
  const wreck w;
  std::ofstream(w.path + "/format") << "ima-mailbox 2\n";
  CHECK(mb::mailbox::repair(files, w.path).error().rule == "mailbox-format");
}
