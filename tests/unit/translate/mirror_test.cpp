#include "../mailbox/fixture.hpp"
#include "../mailbox/forgetful_file_system.hpp"
#include "../mailbox/mortal_file_system.hpp"

#include <ima/translate/maildir_mirror.hpp>

#include <map>
#include <set>

using namespace mailbox_test;
namespace tr = ima::translate;

// A mailbox and its mirror, where an update ends after every single change on disk, or its reader
// renames files while it works. The next update must make the Maildir what the mailbox is, and take
// nothing for the reader's that an update did.

namespace {

const std::string box_path = "/box";
const std::string place = "/mirror";
using flags = std::vector<std::string>;

ima::result<void> ignore(const tr::transferred&) { return {}; }

std::string id_of(const std::string& subject) {
  return compose(subject, {{"text"}}).header.id_digest().hex();
}

mb::mailbox open_box(mb::file_system& files) {
  return mb::mailbox::open(files, box_path, {":memory:"}).value();
}

ima::result<tr::mirror_changes> update(mb::mailbox& box, mb::file_system& files) {
  return tr::mirror_to_maildir(box, files, place, ignore);
}

ima::result<tr::mirror_changes> update(mb::file_system& files) {
  auto box = open_box(files);
  return update(box, files);
}

void put(mb::file_system& files, const std::string& subject, const std::string& folder,
         const flags& set = {}) {
  mb::target to = target_at(box_path);
  to.note.folder = folder;
  to.note.flags = set;
  REQUIRE(deliver(files, compose(subject, {{"text"}}), {to}).front());
}

void change_flags(mb::mailbox& box, const std::string& subject, const flags& add,
                  const flags& remove) {
  const std::vector ids{id_of(subject)};
  const auto done = box.set_flags("inbox", ids, {add, remove, std::nullopt});
  REQUIRE(done);
  REQUIRE(done->front() == mb::outcome::done);
}

// The flags of a message in the mailbox, as one word.
std::string in_box(mb::mailbox& box, const std::string& subject) {
  const auto found = box.find("inbox", id_of(subject)).value();
  std::string out;
  if (found)
    for (const std::string& flag : found->flags) out += flag + " ";
  return out;
}

std::vector<std::string> names_in(mb::file_system& files, const std::string& directory) {
  std::vector<std::string> names;
  const auto listed = files.list(directory, [&](const std::string& name) -> ima::result<void> {
    names.push_back(name);
    return {};
  });
  if (!listed) FAIL(directory);
  return names;
}

std::string file_of(mb::file_system& files, const std::string& subject) {
  for (const std::string directory : {"/cur/", "/new/"})
    for (const std::string& name : names_in(files, place + directory.substr(0, 4)))
      if (name.find(id_of(subject)) != std::string::npos) return place + directory + name;
  return {};
}

// What a reader does who gives a file these letters.
void set_letters(mb::file_system& files, const std::string& subject, const std::string& letters) {
  const std::string from = file_of(files, subject);
  std::string to = from.substr(0, from.rfind(":2,")) + ":2," + letters;
  if (const auto fresh = to.find("/new/"); fresh != std::string::npos)
    to.replace(fresh, 5, "/cur/");
  REQUIRE(files.rename(from, to));
}

std::string letters_of(std::string_view name) {
  const auto info = name.rfind(":2,");
  return info == std::string_view::npos ? std::string() : std::string(name.substr(info + 3));
}

std::string letters_of(const flags& set) {
  const std::map<std::string, char> letters{{"answered", 'R'}, {"flagged", 'F'}, {"seen", 'S'}};
  std::string out;
  for (const auto& [flag, letter] : letters)
    if (std::find(set.begin(), set.end(), flag) != set.end()) out += letter;
  std::sort(out.begin(), out.end());
  return out;
}

// Lines "folder id letters": each once, whole folders with all that is in them.
std::string shown(mb::file_system& files) {
  std::vector<std::string> out;
  for (const std::string& name : names_in(files, place)) {
    const bool inbox = name == "cur" || name == "new";
    if (!inbox && (name == "tmp" || name.starts_with(".ima-mirror"))) continue;
    const std::string folder = inbox ? "inbox" : name.substr(1);
    std::vector<std::string> places{place + "/" + name};
    if (!inbox) places = {places[0] + "/cur", places[0] + "/new"};
    for (const std::string& directory : places)
      for (const std::string& file : names_in(files, directory))
        out.push_back(folder + " " + file.substr(file.find('.') + 1, 64) + " " + letters_of(file));
  }
  std::sort(out.begin(), out.end());
  return fmt::format("{}", fmt::join(out, "\n"));
}

std::string wanted(mb::mailbox& box) {
  std::vector<std::string> out;
  const auto folders = box.folders().value();
  for (const mb::folder& folder : folders)
    for (const mb::entry& e : all(box, folder.name))
      out.push_back(folder.name + " " + e.id + " " + letters_of(e.flags));
  std::sort(out.begin(), out.end());
  return fmt::format("{}", fmt::join(out, "\n"));
}

std::string text_of(mb::file_system& files, const std::string& subject) {
  const auto file = files.open(file_of(files, subject)).value();
  std::string text(file->size().value(), '\0');
  REQUIRE(file->read_at(0, text).value() == text.size());
  return text;
}

void check_mirror(mb::mailbox& box, mb::file_system& files) {
  CHECK(shown(files) == wanted(box));
  for (const std::string& folder : {place, place + "/.kept"})
    CHECK(names_in(files, folder + "/tmp").empty());
  CHECK_FALSE(files.status(place + "/.old").value());
  for (const char* subject : {"read", "liked"})
    CHECK(text_of(files, subject).find(std::string("Subject: ") + subject) != std::string::npos);
}

forgetful_file_system fresh() {
  forgetful_file_system files;
  REQUIRE(mb::mailbox::create(files, box_path));
  auto box = open_box(files);
  REQUIRE(box.create_folder("old"));
  put(files, "read", "inbox", {"seen"});
  put(files, "liked", "inbox");
  put(files, "answered", "inbox", {"seen"});
  put(files, "gone", "inbox");
  put(files, "filed", "inbox", {"seen"});
  put(files, "past", "old");
  REQUIRE(box.take_in());
  return files;
}

// What happens in the mailbox, and in the Maildir if there is one.
void live_on(mb::file_system& files, bool mirrored) {
  auto box = open_box(files);
  REQUIRE(box.create_folder("kept"));
  change_flags(box, "read", {}, {"seen"});
  change_flags(box, "liked", {"flagged"}, {});
  const std::vector gone{id_of("gone")};
  REQUIRE(box.remove("inbox", gone));
  const std::vector filed{id_of("filed")};
  REQUIRE(box.move("inbox", "kept", filed));
  const std::vector past{id_of("past")};
  REQUIRE(box.remove("old", past));
  REQUIRE(box.delete_folder("old"));
  put(files, "late", "inbox");
  REQUIRE(box.take_in());
  if (mirrored) set_letters(files, "answered", "RS");
}

// After whatever ended an update. The mailbox went on meanwhile.
void check_next(mb::file_system& files, const std::set<std::string>& answered) {
  auto box = open_box(files);
  change_flags(box, "read", {"seen"}, {});
  REQUIRE(update(box, files));
  CHECK(in_box(box, "read") == "seen ");
  CHECK(in_box(box, "liked") == "flagged ");
  CHECK(answered.contains(in_box(box, "answered")));
  check_mirror(box, files);
  const auto again = update(box, files);
  REQUIRE(again);
  CHECK(again->written + again->removed + again->flags_out + again->flags_in == 0);
}

survival loss(std::uint64_t stop) {
  constexpr survival all[] = {survival::nothing, survival::names, survival::anything};
  return all[stop % 3];
}

// Every second stop; with IMA_FULL=true every one.
std::uint64_t stride() {
  const char* full = std::getenv("IMA_FULL");
  return full != nullptr && std::string_view(full) == "true" ? 1 : 2;
}

// A reader who renames each file just before the mirror does.
class busy_reader final : public forgetful_file_system {
 public:
  using forgetful_file_system::forgetful_file_system;
  explicit busy_reader(const forgetful_file_system& other) : forgetful_file_system(other) {}

  bool busy = false;
  ima::result<void> rename(const std::string& from, const std::string& to) override {
    step_in(from);
    return forgetful_file_system::rename(from, to);
  }
  ima::result<void> unlink(const std::string& path) override {
    step_in(path);
    return forgetful_file_system::unlink(path);
  }

 private:
  void step_in(const std::string& path) {
    if (!busy || path.find("/tmp/") != std::string::npos || !path.ends_with(":2,S")) return;
    REQUIRE(forgetful_file_system::rename(path, path.substr(0, path.size() - 1) + "RS"));
  }
};

}  // namespace

TEST_CASE("a mirror killed after any change takes nothing of its own for its reader's") {
  auto made = fresh();
  REQUIRE(update(made));
  live_on(made, true);
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop) {
    CAPTURE(stop);
    forgetful_file_system files(made);
    mortal_file_system process(files);
    process.die_at = stop;
    auto box = open_box(files);
    finished = update(box, process).has_value();
    check_next(files, {"answered seen "});
  }
}

// The reader's own change may be lost with the power, but not when the mailbox had it.
TEST_CASE("a mirror whose power goes after any change takes nothing for its reader's") {
  auto made = fresh();
  REQUIRE(update(made));
  made.crash();
  live_on(made, true);
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; stop += stride()) {
    CAPTURE(stop);
    forgetful_file_system files(made);
    mortal_file_system process(files);
    process.die_at = stop;
    std::string had;
    {
      auto box = open_box(files);
      finished = update(box, process).has_value();
      had = in_box(box, "answered");
    }
    files.crash(loss(stop), static_cast<unsigned>(stop));
    check_next(files, {had, "answered seen "});
  }
}

TEST_CASE("a first mirror killed after any change leaves nothing that stays for ever") {
  const auto made = fresh();
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; stop += stride()) {
    CAPTURE(stop);
    forgetful_file_system files(made);
    mortal_file_system process(files);
    process.die_at = stop;
    {
      auto box = open_box(files);
      finished = update(box, process).has_value();
    }
    live_on(files, false);
    check_next(files, {"seen "});
  }
}

TEST_CASE("without its state a mirror finds what it wrote") {
  auto files = fresh();
  REQUIRE(update(files));
  live_on(files, false);
  REQUIRE(files.unlink(place + "/.ima-mirror"));
  check_next(files, {"seen "});
}

TEST_CASE("a file that its reader renames during an update waits for the next one") {
  busy_reader files(fresh());
  REQUIRE(update(files));
  auto box = open_box(files);
  change_flags(box, "read", {"flagged"}, {});
  const std::vector filed{id_of("filed")};
  REQUIRE(box.remove("inbox", filed));
  files.busy = true;
  REQUIRE(update(box, files));
  files.busy = false;
  CHECK(in_box(box, "read") == "flagged seen ");
  REQUIRE(update(box, files));
  CHECK(in_box(box, "read") == "answered flagged seen ");
  CHECK(letters_of(file_of(files, "read")) == "FRS");
  CHECK(file_of(files, "filed").empty());
  CHECK(shown(files) == wanted(box));
}

TEST_CASE("a file that its reader put into another folder goes back") {
  auto files = fresh();
  auto box = open_box(files);
  REQUIRE(update(box, files));
  const std::string from = file_of(files, "read");
  REQUIRE(files.rename(from, place + "/.old/cur" + from.substr(from.rfind('/'))));
  REQUIRE(update(box, files));
  CHECK(shown(files) == wanted(box));
}

TEST_CASE("letters that are no flags of a mailbox stay") {
  auto files = fresh();
  REQUIRE(update(files));
  set_letters(files, "read", "Sab");
  auto box = open_box(files);
  change_flags(box, "read", {"flagged"}, {});
  REQUIRE(update(box, files));
  CHECK(letters_of(file_of(files, "read")) == "FSab");
}

TEST_CASE("a folder's directory goes with it unless somebody keeps mail there") {
  for (const bool kept : {false, true}) {
    auto files = fresh();
    REQUIRE(update(files));
    if (kept) REQUIRE(files.create(place + "/.old/cur/mine:2,S"));
    live_on(files, false);
    REQUIRE(update(files));
    CHECK(files.status(place + "/.old").value().has_value() == kept);
    CHECK(files.status(place + "/.old/tmp").value().has_value() == kept);
  }
}
