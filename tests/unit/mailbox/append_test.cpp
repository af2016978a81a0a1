#include "fixture.hpp"

using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

mb::record note_for(std::string folder, std::vector<std::string> flags = {}) {
  mb::record note = target_at("").note;
  note.folder = std::move(folder);
  note.flags = std::move(flags);
  return note;
}

ima::result<mb::entry> append(mb::mailbox& box, const message& m, const mb::record& note) {
  auto into = box.append(m.header, note);
  if (!into) return into.error();
  ima::body_reader reader(m.header);
  ima::octets rest = m.body;
  while (auto slice = reader.next(rest).value()) REQUIRE(into->write(*slice));
  return into->commit();
}

}  // namespace

TEST_CASE("an appended message is there at once, under an id of its own") {
  const temporary_directory dir;
  const std::string path = dir / "bob";
  REQUIRE(mb::mailbox::create(files, path));
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.create_folder("sent", "sent"));
  const auto m = compose("to dan", {{"Hello.\n"}, {"JPEG", "image/jpeg", "a.jpg"}});
  const auto stored = append(box, m, note_for("sent", {"seen"}));
  REQUIRE(stored);
  CHECK(stored->flags == std::vector<std::string>{"seen"});
  CHECK(whole(box, stored->id, m, "sent"));
  CHECK(box.find("sent", m.header.id_digest())->value().id == stored->id);
  CHECK_FALSE(box.find("inbox", m.header.id_digest())->has_value());
  // It stands in nobody's way: the same message may be delivered, and appended again.
  CHECK_FALSE(deliver(files, m, path)->already);
  CHECK(box.take_in().value() == 1);
  const auto second = append(box, m, note_for("sent"));
  REQUIRE(second);
  CHECK(second->id != stored->id);
  CHECK(box.find("sent", m.header.id_digest())->value().id == second->id);
  CHECK(box.status("sent")->messages == 2);
  CHECK(box.status("inbox")->messages == 1);
}

TEST_CASE("an append that cannot be is refused before a part moves") {
  const temporary_directory dir;
  const std::string path = dir / "bob";
  REQUIRE(mb::mailbox::create(files, path));
  auto box = mb::mailbox::open(files, path).value();
  const auto m = compose("m", {{"Hello.\n"}});
  CHECK(box.append(m.header, note_for("nowhere")).error().rule == "no-folder");
  CHECK(box.append(m.header, note_for("inbox", {"Seen"})).error().rule == "flag");
  auto begun = box.append(m.header, note_for("inbox"));
  REQUIRE(begun);
  CHECK(begun->commit().error().rule == "delivery-incomplete");
  CHECK(all(box).empty());
}
