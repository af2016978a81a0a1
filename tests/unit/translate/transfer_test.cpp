#include "../mailbox/fixture.hpp"

#include <ima/translate/transfer.hpp>

#include <filesystem>
#include <fstream>
#include <set>

using namespace mailbox_test;
namespace tr = ima::translate;
namespace fs = std::filesystem;

namespace {

// How many messages were written, and how many were there.
std::pair<int, int> import_mbox(const std::string& file, const std::string& box) {
  tr::transfer_options what;
  what.from = tr::format::mbox;
  what.to = tr::format::mailbox;
  what.in = file;
  what.out = box;
  what.out_box.index = ":memory:";
  std::pair<int, int> count;
  REQUIRE(tr::transfer(what, [&](const tr::transferred& one) -> ima::result<void> {
    REQUIRE_FALSE(one.problem);
    ++(one.already ? count.second : count.first);
    return {};
  }));
  return count;
}

std::string write(const temporary_directory& place, std::string_view name, std::string_view text) {
  std::string path = place / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// A reader marks all that is there as seen, then moves some of it into another folder.
void use(const fs::path& maildir) {
  std::vector<fs::path> files;
  for (const auto& one : fs::directory_iterator(maildir / "cur")) files.push_back(one.path());
  for (const fs::path& file : files) {
    const bool moved = file.filename().string().starts_with("1");
    const fs::path to = moved ? maildir / ".Archive" : maildir;
    fs::rename(file, to / "cur" / (file.filename().string() + "S"));
  }
}

// The first lines of all files of the Maildir.
std::set<std::string> first_lines(const fs::path& maildir) {
  std::set<std::string> lines;
  for (const auto& one : fs::recursive_directory_iterator(maildir)) {
    std::string line;
    std::ifstream file(one.path());
    if (one.is_regular_file() && std::getline(file, line)) lines.insert(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("a Maildir whose reader renames and moves its mail meanwhile is read whole") {
  const temporary_directory place;
  const fs::path source = place / "mail";
  const fs::path archive = source / ".Archive";
  for (const fs::path& folder : {source, archive})
    for (const char* part : {"cur", "new", "tmp"}) fs::create_directories(folder / part);
  for (int n = 0; n < 40; ++n)
    write(place, fmt::format("mail/cur/{}.x:2,", n), fmt::format("Subject: {}\n\nx\n", n));
  write(place, "mail/new/late", "Subject: late\n\nx\n");

  tr::transfer_options what;
  what.from = what.to = tr::format::maildir;
  what.in = source.string();
  what.out = place / "copy";
  int reported = 0;
  REQUIRE(tr::transfer(what, [&](const tr::transferred& one) -> ima::result<void> {
    CHECK_FALSE(one.problem);
    if (++reported == 1) use(source);
    return {};
  }));
  CHECK(first_lines(what.out).size() == 41);
}

TEST_CASE("what was deleted is imported again, and what is there is not") {
  const temporary_directory place;
  const std::string file = write(place, "old.mbox",
                                 "From a\nFrom: a@a.example\nSubject: one\n\nx\n\n"
                                 "From a\nFrom: a@a.example\nSubject: two\n\nx\n");
  const std::string path = place / "box";
  CHECK(import_mbox(file, path) == std::pair(2, 0));
  CHECK(import_mbox(file, path) == std::pair(0, 2));
  auto box = mb::mailbox::open(mb::posix_file_system(), path, {":memory:"}).value();
  const std::vector first{all(box).front().id};
  REQUIRE(box.remove("inbox", first).value() == std::vector{mb::outcome::done});
  CHECK(import_mbox(file, path) == std::pair(1, 1));
  REQUIRE(box.take_in());
  CHECK(all(box).size() == 2);
}
