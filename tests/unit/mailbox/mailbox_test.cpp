#include "fixture.hpp"
#include "mailbox/journal.hpp"
#include "mailbox/layout.hpp"
#include "mortal_file_system.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>

using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

std::string make(const temporary_directory& dir, std::string_view name) {
  const std::string path = dir / name;
  REQUIRE(mb::mailbox::create(files, path));
  return path;
}

mb::mailbox open(const std::string& path) { return mb::mailbox::open(files, path).value(); }

message letter(std::string_view subject) { return compose(subject, {{"Hello.\n"}}); }

std::size_t count_files(const std::string& path) {
  std::size_t n = 0;
  for (const auto& e : std::filesystem::recursive_directory_iterator(path))
    n += e.is_regular_file();
  return n;
}

}  // namespace

TEST_CASE("what was delivered is read back whole, whatever its parts") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  auto box = open(path);
  const std::vector<message> messages{
      compose("none", {}),
      compose("empty", {{""}, {"", "image/png"}, {""}}),
      compose("mixed",
              {{"one"}, {"two", "image/jpeg", "a.jpg"}, {"three"}, {"", "text/plain", "n"}}),
      compose("long text", {{std::string(65536, 'x')}, {std::string(65537, 'y')}}),
      compose("large", {{std::string(3'000'000, 'z'), "application/zip", "z.zip"}}),
  };
  for (const auto& m : messages) {
    const auto done = deliver(files, m, path);
    REQUIRE(done);
    CHECK_FALSE(done->already);
    CHECK(box.take_in().value() == 1);
    CHECK(whole(box, done->id, m));
  }
  CHECK(all(box).size() == messages.size());
  CHECK(std::filesystem::is_empty(path + "/tmp"));
  CHECK(std::filesystem::is_empty(path + "/new"));
}

TEST_CASE("attachments are plain files under safe names, in any script") {
  using mb::layout::attachment_name;
  CHECK(attachment_name(2, "holiday in Kyōto.jpg") == "2-holiday in Kyōto.jpg");
  CHECK(attachment_name(1, "../../etc/passwd") == "1-.._.._etc_passwd");
  CHECK(attachment_name(1, "") == "1");
  CHECK(attachment_name(1, "...") == "1");
  CHECK(attachment_name(3, "a:b*c?.") == "3-a_b_c_");
  CHECK(attachment_name(3, "x\u202egpj.exe") == "3-x_gpj.exe");
  std::string kanji;
  for (int i = 0; i < 100; ++i) kanji += "漢";
  CHECK(attachment_name(4, kanji).size() == 2 + 120);
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const auto m =
      compose("names", {{"1", "a/b", "日本.txt"}, {"2", "a/b", "/x"}, {"3", "a/b", ".."}});
  REQUIRE(deliver(files, m, path));
  auto box = open(path);
  REQUIRE(box.take_in());
  CHECK(whole(box, m.header.id_digest().hex(), m));
}

TEST_CASE("text is read with nothing but cat, and an attachment is a file of its own octets") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const auto m = compose("Greetings", {{"Hello.\n"}, {"JPEG", "image/jpeg", "../日本.jpg"}});
  const std::string id = m.header.id_digest().hex();
  REQUIRE(deliver(files, m, path));
  REQUIRE(open(path).take_in().value() == 1);
  const std::string place = fmt::format("{}/msg/{}/{}", path, id.substr(0, 2), id);
  const auto read = [&](std::string_view name) {
    std::ifstream in(fmt::format("{}/{}", place, name));
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  CHECK(count_files(place) == 2);
  CHECK(read("message.ima").find("\nsubject: Greetings\n") != std::string::npos);
  CHECK(read("message.ima").ends_with(" name=../日本.jpg\n\nHello.\n"));
  CHECK(read("2-.._日本.jpg") == "JPEG");
}

TEST_CASE(
    "what waits is taken in in the order in which it arrived, also more than an append holds") {
  const temporary_directory dir;
  const std::string path = dir / "bob";
  REQUIRE(mb::mailbox::create(files, path));
  constexpr int count = 600;
  std::vector<std::string> sent;
  for (int i = 0; i < count; ++i) {
    auto into = target_at(path);
    into.note.received.at += std::chrono::seconds(i);
    sent.push_back(deliver(files, compose(fmt::format("{}", i), {}), {into}).front().value().id);
    // As nobody knows how finely the file system keeps time.
    const std::string file = fmt::format("{}/new/{}.ima", path, sent.back());
    std::filesystem::last_write_time(
        file, std::filesystem::file_time_type::clock::now() - std::chrono::seconds(count - i));
  }
  auto box = mb::mailbox::open(files, path).value();
  CHECK(box.take_in().value() == count);
  std::vector<std::string> found;
  for (const auto& e : all(box)) found.push_back(e.id);
  CHECK(found == sent);
}

TEST_CASE("a second copy is recognised, also after the first was deleted") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const auto m = letter("once");
  const auto id = m.header.id_digest();
  CHECK_FALSE(mb::contains(files, path, id).value());
  REQUIRE(deliver(files, m, path));
  CHECK(mb::contains(files, path, id).value());
  CHECK(deliver(files, m, path)->already);
  auto box = open(path);
  REQUIRE(box.take_in());
  CHECK(deliver(files, m, path)->already);
  const std::vector ids{id.hex()};
  CHECK(box.remove("inbox", ids).value() == std::vector{mb::outcome::done});
  CHECK(deliver(files, m, path)->already);
  CHECK(all(box).empty());
  CHECK(box.status("inbox")->messages == 0);
  CHECK(std::filesystem::exists(path + "/gone/" + id.hex().substr(0, 2) + "/" + id.hex()));
}

TEST_CASE("a message whose deletion is forgotten may come again") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  auto box = open(path);
  const auto m = compose("again", {{"hello\n"}});
  const std::vector<std::string> ids{deliver(files, m, path).value().id, "../../format"};
  CHECK(box.take_in().value() == 1);
  REQUIRE(box.remove("inbox", std::span(ids).first(1)));
  CHECK(deliver(files, m, path).value().already);
  REQUIRE(box.forget_deletion(ids));
  CHECK_FALSE(deliver(files, m, path).value().already);
  CHECK(box.take_in().value() == 1);
  CHECK(whole(box, ids[0], m));
}

TEST_CASE("a note that is made empty leaves no file") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  auto box = open(path);
  REQUIRE(box.set_sync_state("note", "5.1.7"));
  CHECK(box.sync_state("note").value() == "5.1.7");
  REQUIRE(box.set_sync_state("note", ""));
  REQUIRE(box.set_sync_state("note", ""));
  CHECK(box.sync_state("note").value().empty());
  CHECK(std::filesystem::is_empty(path + "/sync"));
}

TEST_CASE("a part of which the file holds less is not opened") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  auto box = open(path);
  const auto m = compose("cut", {{"hello\n"}, {"attached", "application/octet-stream", "a.bin"}});
  const std::string id = deliver(files, m, path).value().id;
  CHECK(box.take_in().value() == 1);
  const std::string object = path + "/msg/" + id.substr(0, 2) + "/" + id;
  std::filesystem::resize_file(object + "/2-a.bin", 7);
  CHECK(read_part(box, id, 2) == "error: message-damaged");
  CHECK(read_part(box, id, 1) == "hello\n");
  const std::string text = object + "/message.ima";
  std::filesystem::resize_file(text, std::filesystem::file_size(text) - 1);
  CHECK(read_part(box, id, 1) == "error: message-damaged");
}

TEST_CASE("many recipients share one copy of each attachment, and bcc stays private") {
  const temporary_directory dir;
  std::vector<mb::target> targets;
  for (const auto* name : {"bob", "dan", "erin"}) {
    targets.push_back(target_at(make(dir, name)));
    targets.back().recipient = ima::address::parse(fmt::format("{}@b.example", name)).value();
  }
  const auto m = compose("shared", {{"text"}, {std::string(100'000, 'a'), "a/b", "a.bin"}});
  for (const auto& outcome : deliver(files, m, targets)) REQUIRE(outcome);
  const std::string id = m.header.id_digest().hex();
  CHECK(std::filesystem::hard_link_count(targets[0].path + "/new/" + id + "/2-a.bin") == 3);
  auto bob = open(targets[0].path);
  auto dan = open(targets[1].path);
  REQUIRE(bob.take_in());
  REQUIRE(dan.take_in());
  CHECK((*bob.header("inbox", id))->header.count("bcc") == 0);
  CHECK((*dan.header("inbox", id))->header.count("bcc") == 1);
  CHECK(whole(bob, id, m));
  CHECK(whole(dan, id, m));
}

TEST_CASE("a delivery that is not committed leaves nothing") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const auto m = compose("part", {{"text"}, {"binary", "a/b", "x"}});
  {
    auto d = mb::delivery::begin(files, m.header, {target_at(path)});
    REQUIRE(d);
    CHECK(d->commit().front().error().rule == "delivery-incomplete");
  }
  CHECK(std::filesystem::is_empty(path + "/tmp"));
  CHECK(std::filesystem::is_empty(path + "/new"));
}

TEST_CASE("flags, moves, copies and deletions show up after a token, and only they") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i)
    ids.push_back(deliver(files, letter(fmt::format("{}", i)), path)->id);
  auto box = open(path);
  CHECK(box.take_in().value() == 10);
  REQUIRE(box.create_folder("old/2026", "archive"));
  const auto before = box.status("inbox").value();
  CHECK(before.unseen == 10);
  const std::vector one{ids[0]};
  const std::vector two{ids[1]};
  const std::vector three{ids[2]};
  CHECK(box.set_flags("inbox", one, {{"seen"}, {}, {}}).value().front() == mb::outcome::done);
  CHECK(box.set_flags("inbox", one, {{"junk"}, {}, 1}).value().front() == mb::outcome::changed);
  const auto located = box.locate(one[0]).value();
  REQUIRE(located);
  CHECK(located->folder == "inbox");
  CHECK(located->message.flags == box.find("inbox", one[0]).value()->flags);
  CHECK_FALSE(box.locate(std::string(64, 'f')).value());
  CHECK(box.move("inbox", "old/2026", two).value().front() == mb::outcome::done);
  CHECK(box.move("inbox", "old/2026", two).value().front() == mb::outcome::gone);
  CHECK(box.remove("inbox", three).value().front() == mb::outcome::done);
  const auto page = box.changes("inbox", before.token, 100).value();
  REQUIRE(page.entries.size() == 3);
  CHECK(page.entries[0].flags == std::vector<std::string>{"seen"});
  CHECK(page.entries[1].gone);
  CHECK(page.entries[2].gone);
  CHECK_FALSE(page.more);
  const auto first = box.changes("inbox", before.token, 1).value();
  CHECK(first.more);
  CHECK(box.changes("inbox", first.token, 100).value().entries.size() == 2);
  const auto copies = box.copy("old/2026", "inbox", two).value();
  REQUIRE(copies.size() == 1);
  CHECK(whole(box, copies[0], letter("1")));
  const auto after = box.status("inbox").value();
  CHECK(after.messages == 9);
  CHECK(after.unseen == 8);
  CHECK(box.changes("inbox", "1.1", 10).error().rule == "resync");
  CHECK(box.changes("inbox", "nonsense", 10).error().rule == "resync");
  CHECK(box.changes("nowhere", "0", 10).error().rule == "no-folder");
}

TEST_CASE("folders keep their messages when renamed, and go only when empty") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  auto box = open(path);
  REQUIRE(box.create_folder("a b/ć", "sent"));
  CHECK(box.create_folder("a b/ć").error().rule == "folder-exists");
  CHECK(box.create_folder("other", "sent").error().rule == "folder-role");
  CHECK(box.create_folder("../x").error().rule == "folder-name");
  auto t = target_at(path);
  t.note.folder = "a b/ć";
  t.note.flags = {"seen", "answered"};
  const auto m = letter("imported");
  REQUIRE(deliver(files, m, {t}).front());
  CHECK(box.take_in().value() == 1);
  REQUIRE(box.rename_folder("a b/ć", "new"));
  CHECK(all(box, "new").at(0).flags == std::vector<std::string>{"answered", "seen"});
  CHECK(box.delete_folder("new").error().rule == "folder-in-use");
  CHECK(box.delete_folder("inbox").error().rule == "folder-in-use");
  const std::vector ids{m.header.id_digest().hex()};
  REQUIRE(box.remove("new", ids));
  REQUIRE(box.delete_folder("new"));
  CHECK(box.folders()->size() == 1);
}

TEST_CASE("a deleted or ruined index comes back, and tokens stay good") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  std::string token;
  {
    auto box = open(path);
    for (int i = 0; i < 5; ++i) REQUIRE(deliver(files, letter(fmt::format("{}", i)), path));
    REQUIRE(box.take_in());
    token = box.status("inbox")->token;
    REQUIRE(box.set_sync_state("inbox", "3.4711"));
  }
  for (const bool ruin : {false, true}) {
    for (const auto* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(path + "/index" + suffix);
    if (ruin) std::ofstream(path + "/index") << std::string(10'000, 'x');
    auto box = open(path);
    CHECK(all(box).size() == 5);
    CHECK(box.changes("inbox", token, 10)->entries.empty());
    CHECK(box.sync_state("inbox").value() == "3.4711");
    CHECK(box.sync_state("none").value().empty());
  }
}

namespace {

struct kept_events : ima::log_sink {
  std::vector<std::string> names;
  void write(const ima::log_event& event) override { names.emplace_back(event.name); }
};

}  // namespace

TEST_CASE("whoever cuts a torn journal tail off says so, once") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  std::ofstream(path + "/journal", std::ios::app) << "torn";
  kept_events log;
  for (int i = 0; i < 2; ++i) REQUIRE(mb::mailbox::open(files, path, {.index = {}, .log = &log}));
  CHECK(log.names == std::vector<std::string>{"journal-torn"});
}

TEST_CASE("a mailbox in which nothing can be changed, or a full one, shows what it had taken in") {
  for (const std::string_view why : {"read-only", "disk-full"}) {
    CAPTURE(why);
    const temporary_directory dir;
    const std::string path = make(dir, "bob");
    const auto seen = letter("seen"), waiting = letter("waiting");
    REQUIRE(deliver(files, seen, path));
    REQUIRE(open(path).take_in());
    REQUIRE(deliver(files, waiting, path));
    mortal_file_system disk(files);
    disk.refuse_with = why;
    kept_events log;
    auto box = mb::mailbox::open(disk, path, {.index = {}, .log = &log}).value();
    for (int i = 0; i < 2; ++i) REQUIRE(box.try_take_in());
    CHECK(log.names == std::vector<std::string>{"take-in-failed"});
    CHECK(box.take_in().error().rule == why);
    CHECK(whole(box, seen.header.id_digest().hex(), seen));
    CHECK(box.check(true)->missing.empty());
    const std::vector ids{seen.header.id_digest().hex()};
    CHECK(box.set_flags("inbox", ids, {{"seen"}, {}, {}}).error().rule == why);
    CHECK(box.remove("inbox", ids).error().rule == why);
    CHECK(all(box).size() == 1);
    disk.refuse_with = {};
    REQUIRE(box.try_take_in());
    CHECK(all(box).size() == 2);
    CHECK(whole(box, waiting.header.id_digest().hex(), waiting));
  }
}

TEST_CASE(
    "a torn tail that cannot be cut off keeps nobody from reading, and nothing comes behind it") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  mortal_file_system disk(files);
  auto box = mb::mailbox::open(disk, path, {":memory:"}).value();
  const auto entries = std::distance(std::filesystem::directory_iterator(path), {});
  for (const std::string_view why : {"read-only", "disk-full"}) {
    std::ofstream(path + "/journal", std::ios::app) << "torn";
    disk.refuse_with = why;
    CHECK(box.folders()->size() == 1);
    CHECK(box.create_folder("a").error().rule == why);
    CHECK(box.compact().error().rule == why);
    CHECK(mb::mailbox::open(disk, path, {":memory:"}).value().folders()->size() == 1);
    CHECK(std::distance(std::filesystem::directory_iterator(path), {}) == entries);
    disk.refuse_with = {};
  }
  REQUIRE(box.create_folder("a"));
  CHECK(open(path).folders()->size() == 2);
  CHECK(box.recover()->torn == 8);
}

TEST_CASE("an index's directory that is deleted comes back, and one that cannot is told of once") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const std::string cache = dir / "cache";
  const std::string index = cache + "/host/index";
  kept_events log;
  auto box = mb::mailbox::open(files, path, {.index = index, .log = &log}).value();
  std::size_t mails = 0;
  const auto mail_comes = [&] {
    REQUIRE(deliver(files, letter(fmt::format("{}", ++mails)), path));
    CHECK(box.take_in().value() == 1);
    CHECK(all(box).size() == mails);
  };
  CHECK(std::filesystem::exists(index));
  std::filesystem::remove_all(cache);
  mail_comes();
  CHECK(std::filesystem::exists(index));
  CHECK(log.names.empty());
  std::filesystem::remove_all(cache);
  std::ofstream(cache) << "in the way";
  mail_comes();
  mail_comes();
  CHECK(log.names == std::vector<std::string>{"index-temporary"});
  std::filesystem::remove(cache);
  mail_comes();
  CHECK(std::filesystem::exists(index));
}

TEST_CASE("an index is its owner's alone, as the mail is whose words it has") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const std::string index = dir / "index";
  auto box = mb::mailbox::open(files, path, {.index = index}).value();
  REQUIRE(deliver(files, letter("private"), path));
  REQUIRE(box.take_in());
  using std::filesystem::perms;
  for (const char* suffix : {"", "-wal", "-shm"})
    CHECK(std::filesystem::status(index + suffix).permissions() ==
          (perms::owner_read | perms::owner_write));
}

TEST_CASE("mail is not delivered into a mailbox of a later version") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  std::ofstream(path + "/format") << "ima-mailbox 2\n";
  const auto refused = deliver(files, letter("early"), path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "mailbox-format");
  CHECK(refused.error().kind == ima::fault::temporary);
  CHECK(std::filesystem::is_empty(path + "/new"));
}

TEST_CASE("a torn journal tail is cut to the last whole record at every length, and reported") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const auto m = letter("kept");
  {
    auto box = open(path);
    REQUIRE(deliver(files, m, path));
    REQUIRE(box.take_in());
  }
  const auto good = std::filesystem::file_size(path + "/journal");
  const std::string line =
      mb::journal_line(5, mb::message_record{m.header.id_digest().hex(), 1, 1, 1, "seen"});
  for (std::size_t length = 1; length < line.size(); ++length) {
    std::ofstream(path + "/journal", std::ios::app) << line.substr(0, length);
    auto box = open(path);
    CHECK(box.recover()->torn == length);
    CHECK(all(box).at(0).flags.empty());
    CHECK(std::filesystem::file_size(path + "/journal") == good);
  }
}

TEST_CASE("a journal line is read back, and with any octet changed it is not") {
  const std::string line = mb::journal_line(7, mb::folder_record{3, "sent", "a b"});
  CHECK(mb::crc32("123456789") == 0xcbf43926U);
  const auto read = mb::parse_journal_line(line.substr(0, line.size() - 1));
  REQUIRE(read);
  CHECK(std::get<mb::folder_record>(read->what).name == "a b");
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    std::string bad = line.substr(0, line.size() - 1);
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK_FALSE(mb::parse_journal_line(bad));
  }
}

TEST_CASE("recovery clears what is old, brings strays back and names what is missing") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  const auto kept = letter("kept");
  const auto lost = letter("lost");
  REQUIRE(deliver(files, kept, path));
  REQUIRE(deliver(files, lost, path));
  auto box = open(path);
  REQUIRE(box.take_in());
  const std::string lost_id = lost.header.id_digest().hex();
  std::filesystem::remove(path + "/msg/" + lost_id.substr(0, 2) + "/" + lost_id + ".ima");
  std::ofstream(path + "/tmp/old") << "x";
  std::filesystem::last_write_time(
      path + "/tmp/old", std::filesystem::file_time_type::clock::now() - std::chrono::hours(40));
  const auto stray = letter("stray");
  const std::string stray_id = stray.header.id_digest().hex();
  std::filesystem::create_directory(path + "/msg/" + stray_id.substr(0, 2));
  REQUIRE(deliver(files, stray, path));
  std::filesystem::rename(path + "/new/" + stray_id + ".ima",
                          path + "/msg/" + stray_id.substr(0, 2) + "/" + stray_id + ".ima");
  CHECK(box.check()->strays == 1);
  const auto found = box.recover().value();
  CHECK(found.unfinished == 1);
  CHECK(found.strays == 1);
  CHECK(found.missing == std::vector{lost_id});
  CHECK(box.take_in().value() == 1);
  CHECK(whole(box, stray_id, stray));
}

TEST_CASE("several processes deliver while two mailbox objects take in, and nothing is lost") {
  const temporary_directory dir;
  const std::string path = make(dir, "bob");
  constexpr int processes = 6;
  constexpr int each = 40;
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    bool good = true;
    for (int i = 0; i < each; ++i) {
      // Half of them deliver the same messages as their neighbour.
      const auto m = compose(fmt::format("{} {}", p / 2, i), {{"text"}, {"bin", "a/b", "f"}});
      good = good && deliver(files, m, path).has_value();
    }
    ::_exit(good ? 0 : 1);
  }
  auto one = open(path);
  auto two = mb::mailbox::open(files, path, {dir / "second-index"}).value();
  for (std::size_t left = children.size(); left > 0;) {
    REQUIRE(one.take_in());
    REQUIRE(two.take_in());
    int status = 0;
    if (::waitpid(-1, &status, WNOHANG) > 0) {
      CHECK(status == 0);
      --left;
    }
  }
  REQUIRE(one.take_in());
  CHECK(all(one).size() == processes / 2 * each);
  CHECK(all(two).size() == all(one).size());
  CHECK(count_files(path + "/new") == 0);
  CHECK(one.check()->missing.empty());
  CHECK(one.check()->strays == 0);
}

TEST_CASE("a value of a record is found by its whole name, whatever else the record holds") {
  const std::string record = "ima-record: 1\nverified-domain: a.example\nno colon\ntls: x: y\n\n";
  CHECK(mb::record_value(record, "verified-domain") == "a.example");
  CHECK(mb::record_value(record, "tls") == "x: y");
  CHECK(mb::record_value(record, "domain").empty());
  CHECK(mb::record_value(record, "verified").empty());
  CHECK(mb::record_value("tls: last", "tls") == "last");
  CHECK(mb::record_value("", "tls").empty());
}
