#include "fixture.hpp"
#include "forgetful_file_system.hpp"
#include "mailbox/layout.hpp"
#include "mortal_file_system.hpp"

#include <set>

using namespace mailbox_test;

// A process is stopped after every single change on disk of a mailbox's whole life. Then the power
// goes, or it does not; what was not synced is forgotten, wholly or in parts. What was acknowledged
// must be there, once and whole, and recovery must leave only the states of docs/mailbox.md section
// 10. Every reopening makes its index anew.

namespace {

const std::string path = "/bob";
const mb::options in_memory{":memory:"};

// How far the story came: the last step that was acknowledged.
enum step {
  nothing,
  first,
  second,
  taken,
  flagged,
  folder,
  moved,
  copied,
  appended,
  removed,
  renamed,
  recovered
};

struct story {
  message letter = compose("letter", {{"Hello.\n"}});
  message photos = compose("photos", {{"Look!\n"}, {"JPEG", "image/jpeg", "a.jpg"}, {"", "a/b"}});
  message draft = compose("draft", {{"I think"}, {"x", "a/b", "x"}});
  std::string letter_id = letter.header.id_digest().hex();
  std::string photos_id = photos.header.id_digest().hex();

  step tell(mb::file_system& files) const {
    if (!deliver(files, letter, path)) return nothing;
    if (!deliver(files, photos, path)) return first;
    auto box = mb::mailbox::open(files, path, in_memory);
    if (!box || !box->take_in()) return second;
    return change(*box);
  }

  step change(mb::mailbox& box) const {
    const std::vector one{letter_id};
    const std::vector two{photos_id};
    if (!box.set_flags("inbox", one, {{"seen"}, {}, {}})) return taken;
    if (!box.create_folder("kept")) return flagged;
    if (!box.move("inbox", "kept", one)) return folder;
    if (!box.copy("inbox", "inbox", two)) return moved;
    if (!append(box)) return copied;
    if (!box.remove("inbox", two)) return appended;
    if (!box.rename_folder("kept", "old") || !box.rename_folder("old", "kept")) return removed;
    if (!box.set_quota({1'000'000, 1000}) || !box.recover()) return renamed;
    return recovered;
  }

  bool append(mb::mailbox& box) const {
    mb::record note = target_at("").note;
    note.folder = "kept";
    auto into = box.append(draft.header, note);
    if (!into) return false;
    ima::body_reader reader(draft.header);
    ima::octets rest = draft.body;
    while (auto slice = reader.next(rest).value())
      if (!into->write(*slice)) return false;
    return into->commit().has_value();
  }
};

struct found {
  int inbox = 0;
  int kept = 0;
  bool seen = false;
};

// Counts the places of one message, copies apart, and checks that each is whole.
found look(mb::mailbox& box, const std::string& id, const message& m) {
  found f;
  for (const auto* name : {"inbox", "kept", "old"}) {
    const auto page = box.changes(name, "0", 100);
    if (!page) continue;
    for (const auto& e : page->entries) {
      if (e.id != id) continue;
      CHECK(whole(box, id, m, name));
      ++(std::string_view(name) == "inbox" ? f.inbox : f.kept);
      f.seen = !e.flags.empty();
    }
  }
  return f;
}

void check_letter(mb::mailbox& box, const story& s, step done) {
  const auto f = look(box, s.letter_id, s.letter);
  CHECK(f.inbox + f.kept <= 1);
  if (done >= first) CHECK(f.inbox + f.kept == 1);
  if (done >= flagged) CHECK(f.seen);
  if (done >= moved) CHECK(f.kept == 1);
}

void check_photos(mb::mailbox& box, const story& s, step done) {
  const auto f = look(box, s.photos_id, s.photos);
  CHECK(f.inbox <= 1);
  if (done >= second && done < appended) CHECK(f.inbox == 1);
  if (done >= removed) CHECK(f.inbox == 0);
  int copies = 0;
  for (const auto& e : all(box))
    if (e.id.size() > 64) {
      ++copies;
      CHECK(whole(box, e.id, s.photos));
    }
  CHECK(copies <= 1);
  if (done >= copied) CHECK(copies == 1);
}

void check_draft(mb::mailbox& box, const story& s, step done) {
  int drafts = 0;
  for (const auto* name : {"inbox", "kept", "old"}) {
    const auto there = box.find(name, s.draft.header.id_digest());
    if (!there || !*there) continue;
    ++drafts;
    CHECK(whole(box, (*there)->id, s.draft, name));
  }
  CHECK(drafts <= 1);
  if (done >= appended) CHECK(drafts == 1);
}

std::set<std::string> names_in(mb::file_system& files, const std::string& directory) {
  std::set<std::string> names;
  const auto listed = files.list(directory, [&](const std::string& name) -> ima::result<void> {
    names.insert(name);
    return {};
  });
  if (!listed) FAIL(directory);
  return names;
}

// A message in msg/ has exactly the files that its header names.
void check_files(mb::file_system& files, mb::mailbox& box, const std::string& name,
                 const std::string& shard) {
  const std::string id(mb::layout::id_in(name).value_or(""));
  std::optional<mb::stored_header> header;
  for (const auto* folder : {"inbox", "kept", "old"})
    if (auto there = box.header(folder, id); there && *there) header = std::move(**there);
  REQUIRE(header);
  std::set<std::string> expected{"message.ima"};
  for (std::size_t i = 0; i < header->header.parts().size(); ++i)
    if (!mb::layout::is_inline(header->header.parts()[i]))
      expected.insert(mb::layout::attachment_name(i + 1, header->header.parts()[i].name));
  CHECK(name.ends_with(".ima") == (expected.size() == 1));
  if (expected.size() > 1) CHECK(names_in(files, shard + "/" + name) == expected);
}

// After recovery, and again when everything is old enough to go.
void check_states(forgetful_file_system& files, mb::mailbox& box) {
  const mb::layout::tree tree{path};
  for (const auto wait : {std::chrono::hours(0), std::chrono::hours(24 * 16)}) {
    files.clock += wait;
    REQUIRE(box.take_in());
    REQUIRE(box.recover());
    REQUIRE(box.take_in());
    const auto state = box.check().value();
    CHECK(state.missing.empty());
    CHECK(state.unreadable.empty());
    CHECK(state.odd.empty());
    CHECK(state.strays + state.torn + state.unfinished + state.tombstones == 0);
    CHECK(names_in(files, tree.incoming()).empty());
    for (int i = 0; i < 256; ++i) {
      const std::string shard = tree.shard(fmt::format("{:02x}", i));
      for (const auto& name : names_in(files, shard)) check_files(files, box, name, shard);
    }
  }
  CHECK(names_in(files, tree.tmp()).empty());
}

void check_after(forgetful_file_system& files, const story& s, step done) {
  auto box = mb::mailbox::open(files, path, in_memory);
  REQUIRE(box);
  REQUIRE(box->take_in());
  check_letter(*box, s, done);
  check_photos(*box, s, done);
  check_draft(*box, s, done);
  // The sender, who may not have heard the answer, tries again.
  const auto again = deliver(files, s.letter, path);
  REQUIRE(again);
  if (done >= first) CHECK(again->already);
  if (done >= removed) CHECK(deliver(files, s.photos, path)->already);
  check_states(files, *box);
  const auto letter = look(*box, s.letter_id, s.letter);
  CHECK(letter.inbox + letter.kept == 1);
}

forgetful_file_system fresh() {
  forgetful_file_system files;
  REQUIRE(mb::mailbox::create(files, path));
  files.crash();
  return files;
}

struct loss {
  survival what;
  unsigned seed;
};
bool long_run() {
  const char* full = std::getenv("IMA_FULL");
  return full != nullptr && std::string_view(full) == "true";
}

// One by turns; with IMA_FULL=true all of them, and many by chance.
std::vector<loss> losses(std::uint64_t stop) {
  if (!long_run()) {
    const auto turn = static_cast<unsigned>(stop % 3);
    if (turn == 2) return {{survival::anything, static_cast<unsigned>(stop)}};
    return {{turn == 0 ? survival::nothing : survival::names, 0}};
  }
  std::vector<loss> all{{survival::nothing, 0}, {survival::names, 0}};
  for (unsigned seed = 1; seed < 40; ++seed) all.push_back({survival::anything, seed});
  return all;
}

}  // namespace

TEST_CASE("power lost after any change on disk loses and doubles nothing acknowledged") {
  const story s;
  const auto made = fresh();
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop)
    for (const auto& each : losses(stop)) {
      CAPTURE(stop);
      CAPTURE(each.seed);
      forgetful_file_system files(made);
      mortal_file_system process(files);
      process.die_at = stop;
      const step done = s.tell(process);
      finished = done == recovered;
      files.crash(each.what, each.seed);
      check_after(files, s, done);
    }
}

TEST_CASE("a process killed after any change leaves what the next one finishes") {
  const story s;
  const auto made = fresh();
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop) {
    CAPTURE(stop);
    forgetful_file_system files(made);
    mortal_file_system process(files);
    process.die_at = stop;
    const step done = s.tell(process);
    finished = done == recovered;
    check_after(files, s, done);
  }
}

TEST_CASE("what a second process has told of a killed one's work survives a power cut") {
  const story s;
  const auto made = fresh();
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop) {
    CAPTURE(stop);
    forgetful_file_system files(made);
    mortal_file_system process(files);
    process.die_at = stop;
    finished = s.tell(process) == recovered;
    std::string told;
    std::vector<mb::entry> listed;
    {
      auto other = mb::mailbox::open(files, path, in_memory).value();
      REQUIRE(other.take_in());
      told = other.status("inbox")->token;
      listed = all(other);
    }
    // And so does what a second delivery was told is there.
    const bool already = deliver(files, s.letter, path)->already;
    files.crash(survival::nothing);
    auto box = mb::mailbox::open(files, path, in_memory).value();
    REQUIRE(box.take_in());
    CHECK(box.changes("inbox", told, 100));
    for (const auto& e : listed) {
      CHECK(box.find("inbox", e.id)->has_value());
      CHECK(box.header("inbox", e.id)->has_value());
    }
    const auto letter = look(box, s.letter_id, s.letter);
    if (already) CHECK(letter.inbox + letter.kept == 1);
  }
}

namespace {

// Puts a second copy into new/, as a deliverer does who did not see the first one; nothing where
// the first is there.
void deliver_again(forgetful_file_system& files, const message& m) {
  forgetful_file_system elsewhere = fresh();
  REQUIRE(deliver(elsewhere, m, path));
  const std::string name = path + "/new/" + m.header.id_digest().hex() + ".ima";
  std::string text(elsewhere.status(name).value()->size, '\0');
  REQUIRE(elsewhere.open(name).value()->read_at(0, text));
  auto made = files.create(name);
  if (!made) return;
  REQUIRE((*made)->append(text));
  REQUIRE((*made)->sync());
  REQUIRE(files.sync_directory(path + "/new"));
}

}  // namespace

TEST_CASE("a second copy goes only when the first one's name is on disk") {
  const auto made = fresh();
  const auto m = compose("twice", {{"text"}});
  const std::string id = m.header.id_digest().hex();
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop)
    for (const bool followed_before : {false, true}) {
      CAPTURE(stop);
      CAPTURE(followed_before);
      forgetful_file_system files(made);
      REQUIRE(deliver(files, m, path));
      mortal_file_system process(files);
      {
        auto box = mb::mailbox::open(process, path, in_memory).value();
        process.die_at = process.changes + stop;
        finished = box.take_in().has_value();
      }
      if (!followed_before) deliver_again(files, m);
      {
        auto box = mb::mailbox::open(files, path, in_memory).value();
        if (followed_before) deliver_again(files, m);
        REQUIRE(deliver(files, compose("another", {{"text"}}), path));  // new/ will be synced
        REQUIRE(box.take_in());
        CHECK(whole(box, id, m));
      }
      files.crash(survival::nothing);
      auto box = mb::mailbox::open(files, path, in_memory).value();
      REQUIRE(box.take_in());
      CHECK(whole(box, id, m));
    }
}

TEST_CASE("recovery may itself be cut short after any change") {
  const story s;
  const auto made = fresh();
  for (std::uint64_t stop = 20; stop < 200; stop += 23) {
    forgetful_file_system half(made);
    mortal_file_system process(half);
    process.die_at = stop;
    const step done = s.tell(process);
    half.crash(survival::anything, static_cast<unsigned>(stop));
    half.clock += std::chrono::hours(40);
    bool finished = false;
    for (std::uint64_t again = 0; !finished; ++again) {
      CAPTURE(stop);
      CAPTURE(again);
      forgetful_file_system files(half);
      mortal_file_system healer(files);
      healer.die_at = again;
      auto box = mb::mailbox::open(healer, path, in_memory);
      finished = box && box->recover() && box->take_in();
      files.crash(survival::anything, static_cast<unsigned>(again));
      check_after(files, s, done);
    }
  }
}

TEST_CASE("a compaction cut short after any change leaves the old journal or the new") {
  const story s;
  const auto whole_story = [&] {
    auto files = fresh();
    REQUIRE(s.tell(files) == recovered);
    return files;
  }();
  const auto size_of = [](forgetful_file_system& files) {
    return files.status(path + "/journal").value()->size;
  };
  bool finished = false;
  // Syncing the 256 directories is all that comes before.
  for (std::uint64_t stop = 250; !finished; ++stop)
    for (const auto& each : losses(stop)) {
      CAPTURE(stop);
      forgetful_file_system files(whole_story);
      const auto before = size_of(files);
      mortal_file_system process(files);
      process.die_at = stop;
      auto box = mb::mailbox::open(process, path, in_memory);
      REQUIRE(box);
      finished = box->compact().has_value();
      files.crash(each.what, each.seed);
      CHECK(size_of(files) <= before);
      if (finished) CHECK(size_of(files) < before);
      check_after(files, s, recovered);
    }
}

TEST_CASE("a delivery that was told to be there is there after a power cut, whoever began it") {
  const story s;
  const auto made = fresh();
  for (const auto* m : {&s.letter, &s.photos}) {
    bool finished = false;
    for (std::uint64_t stop = 0; !finished; ++stop) {
      CAPTURE(stop);
      forgetful_file_system files(made);
      mortal_file_system process(files);
      process.die_at = stop;
      finished = deliver(process, *m, path).has_value();
      REQUIRE(deliver(files, *m, path));
      files.crash();
      auto box = mb::mailbox::open(files, path, in_memory).value();
      REQUIRE(box.take_in());
      REQUIRE(all(box).size() == 1);
      CHECK(whole(box, m->header.id_digest().hex(), *m));
    }
  }
}

TEST_CASE("a killed delivery and a killed taking in never leave a record without its message") {
  const story s;
  const auto made = fresh();
  bool delivered = false;
  for (std::uint64_t stop = 0; !delivered; ++stop) {
    forgetful_file_system half(made);
    mortal_file_system deliverer(half);
    deliverer.die_at = stop;
    delivered = deliver(deliverer, s.photos, path).has_value();
    bool taken = false;
    for (std::uint64_t again = 0; !taken; ++again) {
      CAPTURE(stop);
      CAPTURE(again);
      forgetful_file_system files(half);
      mortal_file_system post_office(files);
      post_office.die_at = again;
      auto box = mb::mailbox::open(post_office, path, in_memory);
      taken = box && box->take_in();
      files.crash();
      auto next = mb::mailbox::open(files, path, in_memory).value();
      REQUIRE(next.take_in());
      CHECK(next.check()->missing.empty());
      if (delivered) CHECK(all(next).size() == 1);
    }
  }
}

TEST_CASE("a change that fails once is told, and nothing acknowledged is lost or doubled") {
  const story s;
  const auto made = fresh();
  bool reached = true;
  for (std::uint64_t fail = 1; reached; ++fail) {
    CAPTURE(fail);
    forgetful_file_system files(made);
    mortal_file_system process(files);
    process.fail_at = fail;
    process.fail_with = fail % 2 == 0 ? "storage" : "disk-full";
    const step done = s.tell(process);
    reached = process.changes >= fail;
    if (!reached) CHECK(done == recovered);
    check_after(files, s, done);
  }
}

TEST_CASE("a mailbox whose making was cut short can be made again") {
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; stop += 7) {
    forgetful_file_system files;
    mortal_file_system process(files);
    process.die_at = stop;
    finished = mb::mailbox::create(process, path).has_value();
    files.crash(survival::anything, static_cast<unsigned>(stop));
    const auto again = mb::mailbox::create(files, path);
    CHECK((again || again.error().rule == "mailbox-exists"));
    CHECK(mb::mailbox::open(files, path, in_memory));
  }
}

namespace {

const std::string second_path = "/dan";

std::string content_of(mb::file_system& files, const std::string& file) {
  const auto opened = files.open(file).value();
  std::string text(opened->size().value(), '\0');
  REQUIRE(opened->read_at(0, text).value() == text.size());
  return text;
}

// A line that is none, in the midst of the journal.
void damage_journal(mb::file_system& files) {
  const std::string journal = path + "/journal";
  std::string text = content_of(files, journal);
  text.insert(text.find('\n', text.size() / 2) + 1, "damage\n");
  REQUIRE(files.unlink(journal));
  const auto made = files.create(journal).value();
  REQUIRE(made->append(text));
  REQUIRE(made->sync());
  REQUIRE(files.sync_directory(path));
}

std::size_t count_in(mb::mailbox& box, const std::string& id, const message& m) {
  std::size_t count = 0;
  for (const auto& e : all(box)) {
    if (e.id != id) continue;
    ++count;
    CHECK(whole(box, id, m));
  }
  return count;
}

// One mailbox of a delivery to two, after a crash, and after the sender has tried again.
void check_recipient(forgetful_file_system& files, const story& s, const std::string& where,
                     bool acknowledged) {
  auto box = mb::mailbox::open(files, where, in_memory).value();
  REQUIRE(box.take_in());
  const auto before = count_in(box, s.photos_id, s.photos);
  CHECK(before <= 1);
  if (acknowledged) CHECK(before == 1);
  REQUIRE(deliver(files, s.photos, where));
  REQUIRE(box.take_in());
  CHECK(count_in(box, s.photos_id, s.photos) == 1);
  CHECK(box.check(true)->damaged.empty());
}

}  // namespace

TEST_CASE("a message for two mailboxes is stored once, and power lost leaves each whole or none") {
  const story s;
  auto made = fresh();
  REQUIRE(mb::mailbox::create(made, second_path));
  made.crash();
  const std::vector<std::string> paths{path, second_path};
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop)
    for (const auto& each : losses(stop)) {
      CAPTURE(stop);
      forgetful_file_system files(made);
      mortal_file_system process(files);
      process.die_at = stop;
      const auto outcomes = deliver(process, s.photos, {target_at(path), target_at(second_path)});
      finished = outcomes[0] && outcomes[1];
      const auto stored = [&](const std::string& where) {
        return files.status(fmt::format("{}/new/{}/2-a.jpg", where, s.photos_id)).value();
      };
      if (finished) CHECK(stored(path)->identity == stored(second_path)->identity);
      files.crash(each.what, each.seed);
      for (std::size_t i = 0; i < paths.size(); ++i)
        check_recipient(files, s, paths[i], outcomes[i].has_value());
    }
}

TEST_CASE("power lost while a tombstone expires and its message comes again leaves one or none") {
  const story s;
  auto made = fresh();
  {
    REQUIRE(deliver(made, s.letter, path));
    REQUIRE(deliver(made, s.photos, path));
    auto box = mb::mailbox::open(made, path, in_memory).value();
    REQUIRE(box.take_in());
    REQUIRE(box.remove("inbox", std::vector{s.photos_id}));
    // Days later all of that is on disk.
    const mb::layout::tree tree{path};
    for (const auto& directory : {tree.shard(s.photos_id), tree.tmp()})
      REQUIRE(made.sync_directory(directory));
    made.clock += std::chrono::hours(24 * 16);
    made.crash();
  }
  bool taken = false;
  for (std::uint64_t stop = 0; !taken; ++stop)
    for (const auto& each : losses(stop)) {
      CAPTURE(stop);
      forgetful_file_system files(made);
      mortal_file_system process(files);
      process.die_at = stop;
      auto office = mb::mailbox::open(process, path, in_memory);
      const bool expired = office && office->recover();
      const bool delivered = expired && deliver(process, s.photos, path);
      taken = delivered && office->take_in();
      files.crash(each.what, each.seed);
      auto box = mb::mailbox::open(files, path, in_memory).value();
      REQUIRE(box.take_in());
      CHECK(count_in(box, s.letter_id, s.letter) == 1);
      CHECK(count_in(box, s.photos_id, s.photos) <= 1);
      if (delivered) CHECK(count_in(box, s.photos_id, s.photos) == 1);
      check_states(files, box);
      REQUIRE(deliver(files, s.photos, path));
      REQUIRE(box.take_in());
      CHECK(count_in(box, s.photos_id, s.photos) == 1);
    }
}

TEST_CASE("power lost while a repair writes a new journal leaves the old one or the new") {
  const story s;
  auto damaged = fresh();
  REQUIRE(s.tell(damaged) == recovered);
  damage_journal(damaged);
  REQUIRE(mb::mailbox::open(damaged, path, in_memory).error().rule == "journal-damaged");
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop)
    for (const auto& each : losses(stop)) {
      CAPTURE(stop);
      forgetful_file_system files(damaged);
      mortal_file_system process(files);
      process.die_at = stop;
      finished = mb::mailbox::repair(process, path, in_memory).has_value();
      files.crash(each.what, each.seed);
      if (!finished) REQUIRE(mb::mailbox::repair(files, path, in_memory));
      check_after(files, s, recovered);
    }
}
