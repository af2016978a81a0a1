#include "fixture.hpp"
#include "forgetful_file_system.hpp"

using namespace mailbox_test;

// Power is cut after every single change on disk of a mailbox's whole life; what was not synced is
// forgotten. What was acknowledged must be there, once and whole, and recovery must leave only the
// states of docs/mailbox.md section 10.

namespace {

const std::string path = "/bob";

// How far the story came: the last step that was acknowledged.
enum step { nothing, first, second, taken, flagged, folder, moved, copied, removed };

struct story {
  message letter = compose("letter", {{"Hello.\n"}});
  message photos = compose("photos", {{"Look!\n"}, {"JPEG", "image/jpeg", "a.jpg"}, {"", "a/b"}});
  std::string letter_id = letter.header.id_digest().hex();
  std::string photos_id = photos.header.id_digest().hex();

  step tell(forgetful_file_system& files, const std::string& index) const {
    if (!deliver(files, letter, path)) return nothing;
    if (!deliver(files, photos, path)) return first;
    auto box = mb::mailbox::open(files, path, {index});
    if (!box || !box->take_in()) return second;
    const std::vector one{letter_id};
    const std::vector two{photos_id};
    if (!box->set_flags("inbox", one, {{"seen"}, {}, {}})) return taken;
    if (!box->create_folder("kept")) return flagged;
    if (!box->move("inbox", "kept", one)) return folder;
    if (!box->copy("inbox", "inbox", two)) return moved;
    if (!box->remove("inbox", two)) return copied;
    return removed;
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
  for (const auto* name : {"inbox", "kept"}) {
    const auto page = box.changes(name, "0", 100);
    if (!page) continue;
    for (const auto& e : page->entries) {
      if (e.id != id) continue;
      CHECK(whole(box, id, m, name));
      ++(std::string_view(name) == "kept" ? f.kept : f.inbox);
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
  if (done >= second && done < copied) CHECK(f.inbox == 1);
  if (done >= removed) CHECK(f.inbox == 0);
  for (const auto& e : all(box))
    if (e.id.size() > 64) CHECK(whole(box, e.id, s.photos));
  if (done >= removed) CHECK(all(box).size() == 1);
}

void check_after(forgetful_file_system& files, const std::string& index, const story& s,
                 step done) {
  auto box = mb::mailbox::open(files, path, {index});
  REQUIRE(box);
  REQUIRE(box->take_in());
  REQUIRE(box->recover());
  REQUIRE(box->take_in());
  check_letter(*box, s, done);
  check_photos(*box, s, done);
  const auto state = box->check().value();
  CHECK(state.missing.empty());
  CHECK(state.strays == 0);
  CHECK(state.torn == 0);
  // The sender, who may not have heard the answer, tries again.
  const auto again = deliver(files, s.letter, path);
  REQUIRE(again);
  if (done >= first) CHECK(again->already);
  if (done >= removed) CHECK(deliver(files, s.photos, path)->already);
  REQUIRE(box->take_in());
  const auto letter = look(*box, s.letter_id, s.letter);
  CHECK(letter.inbox + letter.kept == 1);
}

void remove_index(const std::string& index) {
  for (const auto* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(index + suffix);
}

}  // namespace

TEST_CASE("power lost after any change on disk loses and doubles nothing acknowledged") {
  const temporary_directory dir;
  const std::string index = dir / "index";
  const story s;
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop) {
    CAPTURE(stop);
    remove_index(index);
    forgetful_file_system files;
    REQUIRE(mb::mailbox::create(files, path));
    files.crash();
    files.stop_at = stop;
    const step done = s.tell(files, index);
    finished = done == removed;
    files.crash();
    // The index of a host that went down with the mailbox may be there or not.
    if (stop % 2 == 0) remove_index(index);
    check_after(files, index, s, done);
  }
}

TEST_CASE("a mailbox whose making was cut short can be made again") {
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; stop += 7) {
    forgetful_file_system files;
    files.stop_at = stop;
    finished = mb::mailbox::create(files, path).has_value();
    files.crash();
    if (!finished) {
      const auto again = mb::mailbox::create(files, path);
      CHECK((again || again.error().rule == "mailbox-exists"));
    }
    const temporary_directory dir;
    CHECK(mb::mailbox::open(files, path, {dir / "index"}));
  }
}
