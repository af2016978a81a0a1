#include "fixture.hpp"
#include "forgetful_file_system.hpp"
#include "mailbox/journal.hpp"
#include "mailbox/layout.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <tuple>

using namespace mailbox_test;

// What damage, odd files, other processes and old clocks may do to a mailbox.

namespace {

auto& files = mb::posix_file_system();
const mb::options in_memory{":memory:"};

std::string make(const temporary_directory& dir, std::string_view name = "bob") {
  const std::string path = dir / name;
  REQUIRE(mb::mailbox::create(files, path));
  return path;
}

message letter(std::string_view subject) { return compose(subject, {{"Hello.\n"}}); }
message photos(std::string_view subject) {
  return compose(subject, {{"text"}, {"JPEG", "image/jpeg", "a.jpg"}});
}

void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

// One that has no hard links.
class linkless final : public mb::file_system {
 public:
  ima::result<std::unique_ptr<mb::file>> open(const std::string& p) override {
    return files.open(p);
  }
  ima::result<std::unique_ptr<mb::file>> open_append(const std::string& p) override {
    return files.open_append(p);
  }
  ima::result<std::unique_ptr<mb::file>> create(const std::string& p) override {
    return files.create(p);
  }
  ima::result<void> make_directory(const std::string& p) override {
    return files.make_directory(p);
  }
  ima::result<void> link(const std::string&, const std::string& to) override {
    return ima::error{ima::fault::temporary, "file-link", to, "there are no links here"};
  }
  ima::result<void> rename(const std::string& from, const std::string& to) override {
    return files.rename(from, to);
  }
  ima::result<void> unlink(const std::string& p) override { return files.unlink(p); }
  ima::result<void> remove_directory(const std::string& p) override {
    return files.remove_directory(p);
  }
  ima::result<std::optional<mb::file_status>> status(const std::string& p) override {
    return files.status(p);
  }
  ima::result<void> list(
      const std::string& p,
      const std::function<ima::result<void>(const std::string&)>& each) override {
    return files.list(p, each);
  }
  ima::result<void> sync_directory(const std::string& p) override {
    return files.sync_directory(p);
  }
  std::chrono::sys_seconds now() override { return files.now(); }
};

}  // namespace

TEST_CASE("an index made anew never takes a message that came again for the one removed before") {
  forgetful_file_system disk;
  const std::string path = "/bob";
  REQUIRE(mb::mailbox::create(disk, path));
  const auto m = photos("again");
  const std::vector ids{m.header.id_digest().hex()};
  auto late = mb::mailbox::open(disk, path, in_memory).value();
  {
    auto box = mb::mailbox::open(disk, path, in_memory).value();
    REQUIRE(deliver(disk, m, path));
    REQUIRE(box.take_in());
    REQUIRE(box.remove("inbox", ids));
    disk.clock += std::chrono::hours(24 * 14) - std::chrono::seconds(1);
    CHECK(box.recover()->tombstones == 0);
    CHECK(deliver(disk, m, path)->already);  // for 14 days
    CHECK(mb::was_deleted(disk, path, m.header.id_digest()).value());
    disk.clock += std::chrono::hours(48);
    CHECK(box.recover()->tombstones == 1);
    CHECK_FALSE(deliver(disk, m, path)->already);
    // Another post office, which sees the removal only now, while the message waits in new/.
    CHECK(all(late).empty());
    CHECK(box.take_in().value() == 1);
  }
  auto box = mb::mailbox::open(disk, path, in_memory).value();
  CHECK(whole(box, ids[0], m));
  CHECK(whole(late, ids[0], m));
}

TEST_CASE("whatever lies in new/ keeps no message out, and is named") {
  const temporary_directory dir;
  const std::string path = make(dir);
  const auto name = [&](int i) { return fmt::format("{}/new/{:064x}", path, i); };
  write(name(1) + ".ima", "rubbish");
  write(name(2), "a file where a directory should be");
  std::filesystem::create_directory(name(3));
  std::filesystem::create_directory(name(4) + ".ima");
  std::filesystem::create_directories(name(5) + "/message.ima/deep");
  std::filesystem::create_symlink("/etc/passwd", name(6) + ".ima");
  std::filesystem::create_symlink("/etc", name(7));
  REQUIRE(::mkfifo((name(8) + ".ima").c_str(), 0600) == 0);
  write(path + "/new/notes.txt", "x");
  write(path + "/new/" + std::string(200, 'a'), "x");
  for (int i = 0; i < 1100; ++i) write(fmt::format("{}/new/{:064x}x", path, i), "");
  const auto m = photos("real");
  REQUIRE(deliver(files, m, path));
  auto box = mb::mailbox::open(files, path).value();
  CHECK(box.take_in().value() == 1);
  CHECK(box.take_in().value() == 0);
  CHECK(whole(box, m.header.id_digest().hex(), m));
  const auto found = box.check().value();
  CHECK(found.unreadable.size() == 5);
  CHECK(found.odd.size() == 1000);
  CHECK(box.recover());
  CHECK(whole(box, m.header.id_digest().hex(), m));
}

TEST_CASE("the index may be deleted, ruined, cut or replaced at any time, also while in use") {
  const temporary_directory dir;
  const std::string path = make(dir);
  for (int i = 0; i < 300; ++i) REQUIRE(deliver(files, letter(fmt::format("{}", i)), path));
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.take_in());
  const std::string index = path + "/index";
  const auto remove = [&] {
    for (const auto* suffix : {"", "-wal", "-shm"}) std::filesystem::remove_all(index + suffix);
  };
  const std::vector<std::function<void()>> ways{
      remove,
      [&] { std::filesystem::remove(index); },
      [&] { remove(), write(index, std::string(50'000, 'x')); },
      [&] { std::filesystem::resize_file(index, 5000); },
      [&] { std::filesystem::resize_file(index, 0); },
      [&] { write(index, std::string(1'000'000, '\1')); },
      [&] { remove(), std::filesystem::create_directories(index + "/deep"); },
      [&] { remove(), std::filesystem::create_symlink("/nonexistent/x", index); },
  };
  for (std::size_t i = 0; i < ways.size(); ++i) {
    CAPTURE(i);
    const std::string token = box.status("inbox")->token;
    ways[i]();
    CHECK(all(box).size() == 300);
    const auto fresh = letter(fmt::format("new {}", i));
    REQUIRE(deliver(files, fresh, path));
    CHECK(box.take_in().value() == 1);
    CHECK(box.changes("inbox", token, 10)->entries.size() == 1);
    CHECK(box.search("", {.texts = {{fmt::format("new {}", i), {}, false}}}, "", 10)->hits.size() ==
          1);
    auto opened = mb::mailbox::open(files, path);
    if (!opened) FAIL(opened.error().message());
    auto& other = *opened;
    CHECK(all(other).size() == 301);
    const std::vector ids{fresh.header.id_digest().hex()};
    REQUIRE(other.remove("inbox", ids));
    CHECK(all(box).size() == 300);
    std::filesystem::remove_all(index);
  }
}

TEST_CASE("a part that is being read stays readable when the message is deleted") {
  const temporary_directory dir;
  const std::string path = make(dir);
  const auto m = photos("read");
  REQUIRE(deliver(files, m, path));
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.take_in());
  const std::vector ids{m.header.id_digest().hex()};
  const auto text = box.open_part("inbox", ids[0], 1).value();
  const auto picture = box.open_part("inbox", ids[0], 2).value();
  auto other = mb::mailbox::open(files, path, {dir / "index"}).value();
  REQUIRE(other.remove("inbox", ids));
  std::array<char, 4> buffer{};
  CHECK(text->read_at(0, buffer).value() == 4);
  CHECK(std::string_view(buffer.data(), 4) == "text");
  CHECK(picture->read_at(0, buffer).value() == 4);
  CHECK(std::string_view(buffer.data(), 4) == "JPEG");
  CHECK(box.open_part("inbox", ids[0], 1).error().rule == "no-message");
  CHECK_FALSE(box.header("inbox", ids[0])->has_value());
}

TEST_CASE("files that went missing are an error, not a message that is gone") {
  const temporary_directory dir;
  const std::string path = make(dir);
  const auto m = letter("lost");
  const std::string id = m.header.id_digest().hex();
  REQUIRE(deliver(files, m, path));
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.take_in());
  std::filesystem::remove(path + "/msg/" + id.substr(0, 2) + "/" + id + ".ima");
  CHECK(box.header("inbox", id).error().rule == "message-damaged");
  CHECK(box.open_part("inbox", id, 1).error().rule == "message-damaged");
}

TEST_CASE("names that differ by case alone, long ones and the layout's own stay apart") {
  const temporary_directory dir;
  const std::string path = make(dir);
  std::string longest;
  while (longest.size() < 255) longest += "漢";
  std::vector<part> parts{{"text"}};
  for (const auto& name : {std::string("a.txt"), std::string("A.txt"), std::string("a.txt"),
                           longest, std::string("message.ima"), std::string("index"),
                           std::string(".."), std::string("-rf"), std::string("con")})
    parts.push_back({name, "a/b", name});
  const auto m = compose("names", parts);
  REQUIRE(deliver(files, m, path));
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.take_in());
  CHECK(whole(box, m.header.id_digest().hex(), m));
  CHECK((*box.header("inbox", m.header.id_digest().hex()))->header.parts()[4].name == longest);
  CHECK(box.check(true)->damaged.empty());
}

TEST_CASE("a hundred attachments for a hundred recipients need few open files") {
  const temporary_directory dir;
  std::vector<part> parts;
  for (int i = 0; i < 100; ++i) parts.push_back({fmt::format("{}", i), "a/b", "same name"});
  const auto m = compose("many", parts);
  std::vector<mb::target> targets;
  for (int i = 0; i < 100; ++i) {
    const auto path = dir / fmt::format("{}", i);
    // Not whole mailboxes: a deliverer needs no more.
    std::filesystem::create_directories(path + "/tmp");
    std::filesystem::create_directories(path + "/new");
    std::filesystem::create_directories(path + "/gone");
    std::ofstream(path + "/format") << "ima-mailbox 1\n";
    targets.push_back(target_at(path));
  }
  const auto full = make(dir, "full");
  targets[7].path = full;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = 40;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const auto outcomes = deliver(files, m, targets);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  for (const auto& outcome : outcomes) CHECK(outcome);
  auto box = mb::mailbox::open(files, full).value();
  REQUIRE(box.take_in());
  const std::vector ids{m.header.id_digest().hex()};
  CHECK(whole(box, ids[0], m));
  REQUIRE(box.remove("inbox", ids));
  CHECK(std::filesystem::is_empty(full + "/tmp"));
}

TEST_CASE("without hard links everything works, by copies and renames") {
  const temporary_directory dir;
  linkless disk;
  const std::string path = make(dir);
  const std::string second = make(dir, "dan");
  auto box = mb::mailbox::open(disk, path).value();
  for (const auto& m : {letter("l"), photos("p")}) {
    for (const auto& outcome : deliver(disk, m, {target_at(path), target_at(second)}))
      CHECK_FALSE(outcome.value().already);
    CHECK(deliver(disk, m, path)->already);
    CHECK(box.take_in().value() == 1);
    const std::vector ids{m.header.id_digest().hex()};
    CHECK(whole(box, ids[0], m));
    const auto copies = box.copy("inbox", "inbox", ids).value();
    REQUIRE(box.remove("inbox", ids));
    CHECK(whole(box, copies[0], m));
    CHECK(deliver(disk, m, path)->already);
  }
  auto dan = mb::mailbox::open(disk, second).value();
  CHECK(dan.take_in().value() == 2);
  CHECK(dan.check(true)->damaged.empty());
  CHECK(std::filesystem::is_empty(path + "/tmp"));
}

TEST_CASE("a token never passes to another folder that got the name") {
  const temporary_directory dir;
  auto box = mb::mailbox::open(files, make(dir)).value();
  REQUIRE(box.create_folder("a"));
  const std::string token = box.status("a")->token;
  REQUIRE(box.rename_folder("a", "b"));
  CHECK(box.changes("b", token, 10)->entries.empty());
  REQUIRE(box.create_folder("a"));
  CHECK(box.changes("a", token, 10).error().rule == "resync");
  CHECK(box.changes("inbox", token, 10).error().rule == "resync");
}

TEST_CASE("a first listing tells nothing of what left before it, and all that leaves during it") {
  const temporary_directory dir;
  const std::string path = make(dir);
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i)
    ids.push_back(deliver(files, letter(fmt::format("{}", i)), path)->id);
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.take_in());
  const auto listed = all(box);
  REQUIRE(box.remove("inbox", std::vector{listed[9].id}));
  const auto page = box.changes("inbox", "0", 4).value();
  CHECK(page.more);
  REQUIRE(box.remove("inbox", std::vector{listed[0].id}));
  const auto rest = box.changes("inbox", page.token, 100).value();
  std::vector<std::string> gone;
  for (const auto& e : rest.entries)
    if (e.gone) gone.push_back(e.id);
  CHECK(gone == std::vector{listed[0].id});
  CHECK(rest.entries.size() == 6);
}

TEST_CASE("a delivery waits for no lock, whoever holds whatever in the mailbox") {
  const temporary_directory dir;
  const std::string path = make(dir);
  std::vector<int> held;
  for (const auto& each : std::filesystem::recursive_directory_iterator(path)) {
    held.push_back(::open(each.path().c_str(), O_RDONLY));
    REQUIRE(::flock(held.back(), LOCK_EX) == 0);
  }
  held.push_back(::open(path.c_str(), O_RDONLY));
  REQUIRE(::flock(held.back(), LOCK_EX) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // its end, where it waits
    const bool good = deliver(files, letter("l"), path) && deliver(files, photos("p"), path);
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  for (const int descriptor : held) ::close(descriptor);
  CHECK(mb::mailbox::open(files, path)->take_in().value() == 2);
}

TEST_CASE("who meets a lock that is kept waits for a while, and the next one not at all") {
  const temporary_directory dir;
  const std::string path = make(dir);
  mb::options soon;
  soon.patience = std::chrono::milliseconds(20);
  auto box = mb::mailbox::open(files, path, soon).value();
  const auto keeper = files.open_append(path + "/lock").value();
  REQUIRE(keeper->lock());
  CHECK(box.create_folder("a").error().rule == "mailbox-busy");
  CHECK(box.folders()->size() == 1);
  mb::options hopeless;  // nobody could wait for so long
  hopeless.patience = std::chrono::hours(24);
  hopeless.wait_to_open = false;
  CHECK(mb::mailbox::open(files, path, hopeless).error().rule == "mailbox-busy");
  REQUIRE(keeper->unlock());
  REQUIRE(box.create_folder("a"));
  CHECK(mb::mailbox::open(files, path, hopeless));
}

TEST_CASE("two that make the same mailbox at once make one") {
  const temporary_directory dir;
  for (int round = 0; round < 5; ++round) {
    const std::string path = dir / fmt::format("{}", round);
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      children.push_back(::fork());
      if (children.back() != 0) continue;
      const auto made = mb::mailbox::create(files, path);
      auto box = mb::mailbox::open(files, path);
      const bool good = (made || made.error().rule == "mailbox-exists") && box &&
                        box->create_folder(fmt::format("{}", ::getpid()));
      ::_exit(good ? 0 : 1);
    }
    for (const auto child : children) {
      int status = 0;
      ::waitpid(child, &status, 0);
      CHECK(status == 0);
    }
    CHECK(mb::mailbox::open(files, path)->folders()->size() == 5);
  }
}

namespace {

std::string other_folder(std::string_view folder) { return folder == "inbox" ? "kept" : "inbox"; }

// What one of two post offices does at random to what either of them has; every third message may
// be deleted by both. What was done goes to `told`: the deed, the id, and the folders of a move.
bool play_office(mb::mailbox box, unsigned office, std::ostream& told) {
  std::minstd_rand random(office);
  const auto play = [&](const std::string& folder, const mb::entry& e) {
    const std::vector ids{e.id};
    const bool doomed = e.id[10] < '5';
    const std::string to = other_folder(folder);
    const bool removing = doomed && random() % 2 == 0;
    const bool moving = !removing && random() % 3 == 0;
    const auto done = removing ? box.remove(folder, ids)
                      : moving ? box.move(folder, to, ids)
                               : box.set_flags(folder, ids, {{fmt::format("f{}", office)}, {}, {}});
    if (!done) return false;
    if (done->front() == mb::outcome::done)
      told << (removing ? "remove "
               : moving ? "move "
                        : "flag ")
           << e.id << ' ' << folder << ' ' << to << '\n';
    return true;
  };
  for (int round = 0; round < 60; ++round) {
    if (!box.take_in()) return false;
    for (const std::string folder : {"inbox", "kept"}) {
      const auto page = box.changes(folder, "0", 20);
      if (!page) return false;
      for (const auto& e : page->entries)
        if (!play(folder, e)) return false;
    }
  }
  return true;
}

// Where a message must be, and with which flags, by what both offices were told: it came once more
// often to one folder than it left it.
struct expectation {
  std::map<std::string, int> arrivals{{"inbox", 1}};
  std::set<std::string> flags;
  bool operator()(std::string_view folder, const std::vector<std::string>& has) const {
    const bool there = std::ranges::all_of(
        arrivals, [&](const auto& each) { return each.second == (each.first == folder ? 1 : 0); });
    return there && std::ranges::equal(has, flags);
  }
};

bool same_entry(const mb::entry& one, const mb::entry& other) {
  return std::tie(one.id, one.seq, one.flags) == std::tie(other.id, other.seq, other.flags);
}

std::map<std::string, expectation> read_told(const temporary_directory& dir) {
  std::map<std::string, expectation> all;
  for (int office = 0; office < 2; ++office) {
    std::ifstream in(dir / fmt::format("told{}", office));
    for (std::string deed, id, from, to; in >> deed >> id >> from >> to;) {
      if (deed == "flag") all[id].flags.insert(fmt::format("f{}", office));
      if (deed != "flag") --all[id].arrivals[from];
      if (deed == "move") ++all[id].arrivals[to];
    }
  }
  return all;
}

}  // namespace

TEST_CASE("two post offices with their own indexes and deliverers lose and double nothing") {
  const temporary_directory dir;
  const std::string path = make(dir);
  {
    auto box = mb::mailbox::open(files, path).value();
    REQUIRE(box.create_folder("kept"));
  }
  constexpr int each = 40;
  std::vector<pid_t> children;
  const auto start = [&](const std::function<bool()>& work) {
    children.push_back(::fork());
    if (children.back() == 0) ::_exit(work() ? 0 : 1);
  };
  for (int d = 0; d < 3; ++d)
    start([&, d] {
      for (int i = 0; i < each; ++i)
        if (!deliver(files,
                     i % 2 == 0 ? letter(fmt::format("{} {}", d, i))
                                : photos(fmt::format("{} {}", d, i)),
                     path))
          return false;
      return true;
    });
  for (unsigned office = 0; office < 2; ++office)
    start([&, office] {
      std::ofstream told(dir / fmt::format("told{}", office));
      const mb::options own_index{dir / fmt::format("index{}", office)};
      return play_office(mb::mailbox::open(files, path, own_index).value(), office, told) &&
             told.flush();
    });
  for (const auto child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  auto box = mb::mailbox::open(files, path, {dir / "index0"}).value();
  auto other = mb::mailbox::open(files, path, {dir / "index1"}).value();
  auto anew = mb::mailbox::open(files, path, in_memory).value();
  REQUIRE(box.take_in());
  auto expected = read_told(dir);
  std::set<std::string> there;
  for (const auto* folder : {"inbox", "kept"}) {
    const auto entries = all(box, folder);
    for (const auto& e : entries) {
      CHECK(there.insert(e.id).second);
      CHECK(expected[e.id](folder, e.flags));
    }
    const std::string token = box.status(folder)->token;
    for (auto* view : {&other, &anew}) {
      CHECK(std::ranges::equal(all(*view, folder), entries, same_entry));
      CHECK(view->status(folder)->token == token);
      CHECK(view->changes(folder, token, 1)->entries.empty());
    }
  }
  for (const auto& [id, wanted] : expected)
    if (!there.contains(id)) CHECK(wanted("", {wanted.flags.begin(), wanted.flags.end()}));
  for (int d = 0; d < 3; ++d)
    for (int i = 0; i < each; ++i) {
      const auto m =
          i % 2 == 0 ? letter(fmt::format("{} {}", d, i)) : photos(fmt::format("{} {}", d, i));
      const std::string id = m.header.id_digest().hex();
      CHECK(deliver(files, m, path)->already);
      if (id[10] >= '5') CHECK(there.contains(id));
    }
  const auto found = box.check(true).value();
  CHECK(found.missing.empty());
  CHECK(found.damaged.empty());
  CHECK(found.strays == 0);
  CHECK(box.quota()->messages == there.size());
}

TEST_CASE("a record with a time before 1970 or flags that are none is taken in all the same") {
  const temporary_directory dir;
  const std::string path = make(dir);
  auto t = target_at(path);
  t.note.received = ima::timestamp::parse("1969-01-01T00:00:00Z").value();
  const auto m = letter("old");
  REQUIRE(deliver(files, m, {t}).front());
  const std::string file = path + "/new/" + m.header.id_digest().hex() + ".ima";
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.insert(text.find("\n\n") + 1, "flags: seen,Not A Flag,,x\nnew-in-a-later-version: 1\n");
  write(file, text);
  auto box = mb::mailbox::open(files, path).value();
  CHECK(box.take_in().value() == 1);
  CHECK(all(box).at(0).flags == std::vector<std::string>{"seen", "x"});
}

TEST_CASE("a wrong octet anywhere in a record keeps no other message out, and check names it") {
  forgetful_file_system disk;
  const std::string path = "/bob";
  REQUIRE(mb::mailbox::create(disk, path));
  auto box = mb::mailbox::open(disk, path, in_memory).value();
  auto t = target_at(path);
  t.note.recipient = "bob@b.example";
  t.note.folder = "lists";
  t.note.flags = {"seen"};
  const auto m = letter("damaged");
  const std::string id = deliver(disk, m, {t}).front()->id;
  const std::string file = path + "/new/" + id + ".ima";
  std::string text(disk.status(file).value()->size, '\0');
  REQUIRE(disk.open(file).value()->read_at(0, text));
  REQUIRE(disk.unlink(file));
  // One of each kind that a reader may care about.
  constexpr std::string_view wrong("\0\n\r: 0az?\x7f\xc3\xff", 12);
  const auto name = [&](std::size_t at, std::size_t i) {
    return fmt::format("{:062}{:02}", at, i);
  };
  const auto waiting = [&](const std::string& variant) {
    return fmt::format("{}/new/{}.ima", path, variant);
  };
  std::size_t kept_out = 0;
  for (std::size_t at = 0; at < text.find("\n\n") + 2; ++at) {
    CAPTURE(at);
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      std::string changed = text;
      changed[at] = wrong[i];
      REQUIRE(disk.create(waiting(name(at, i))).value()->append(changed));
    }
    const auto good = letter(fmt::format("good {}", at));
    REQUIRE(deliver(disk, good, path));
    REQUIRE(box.take_in());
    CHECK(whole(box, good.header.id_digest().hex(), good));
    const auto unreadable = box.check()->unreadable;
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      const std::string variant = name(at, i);
      const bool named = std::ranges::find(unreadable, variant) != unreadable.end();
      CHECK(named == !box.header("inbox", variant)->has_value());
      if (named) REQUIRE(disk.unlink(waiting(variant)));
      kept_out += named ? 1 : 0;
    }
  }
  CHECK(kept_out > 500);
}

TEST_CASE("a mailbox of another version, none, and a file that is none are told apart") {
  const temporary_directory dir;
  const std::string path = make(dir);
  CHECK(mb::mailbox::open(files, dir / "none").error().text == "there is no mailbox");
  write(path + "/format", "ima-mailbox 2\n");
  CHECK(mb::mailbox::open(files, path).error().text ==
        "the mailbox is \"ima-mailbox 2\", and this program knows version 1 alone");
  CHECK(mb::mailbox::repair(files, path).error().rule == "mailbox-format");
  write(path + "/format", "rubbish");
  CHECK(mb::mailbox::open(files, path).error().rule == "mailbox-format");
}
