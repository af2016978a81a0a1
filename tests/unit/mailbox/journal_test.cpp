#include "mailbox/journal.hpp"

#include "fixture.hpp"

#include <fstream>

using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

std::string folder_line(std::uint64_t seq, std::uint64_t number) {
  return mb::journal_line(seq, mb::folder_record{number, "", fmt::format("f{}", number)});
}
std::string commit_line(std::uint64_t seq, std::uint64_t lines = 1) {
  return mb::journal_line(seq, mb::commit_record{lines, 0, 0});
}

// A new mailbox's journal ends with seq 2; this one has `text` behind.
std::string with_journal(const temporary_directory& dir, std::string_view name,
                         std::string_view text) {
  const std::string path = dir / name;
  REQUIRE(mb::mailbox::create(files, path));
  std::ofstream(path + "/journal", std::ios::app) << text;
  return path;
}

std::string opened(const std::string& path) {
  auto box = mb::mailbox::open(files, path);
  if (!box) return std::string(box.error().rule);
  return fmt::format("{} folders, {} torn", box->folders()->size(), box->recover()->torn);
}

// What was cut off.
std::string kept_beside(const std::string& path) {
  std::string text;
  for (const auto& each : std::filesystem::directory_iterator(path)) {
    if (!each.path().filename().string().starts_with("journal.torn-")) continue;
    std::ifstream in(each.path());
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  return text;
}

}  // namespace

TEST_CASE("an append counts as a whole or not at all") {
  const temporary_directory dir;
  const std::string first = folder_line(3, 2);
  const std::string second = folder_line(4, 3);
  CHECK(opened(with_journal(dir, "a", first + second + commit_line(5, 2))) == "3 folders, 0 torn");
  const auto torn = first.size() + second.size();
  CHECK(opened(with_journal(dir, "b", first + second)) == fmt::format("1 folders, {} torn", torn));
}

TEST_CASE("a hole in the last append is cut, as no sync may ever have come behind it") {
  const temporary_directory dir;
  // Two pages of one write, of which the first never reached the disk.
  const std::string hole(folder_line(3, 2).size(), '\0');
  const std::string tail = hole + folder_line(4, 3) + commit_line(5, 2);
  CHECK(opened(with_journal(dir, "a", tail)) == fmt::format("1 folders, {} torn", tail.size()));
  const std::string large = std::string(20'000, '\0') + tail;
  CHECK(opened(with_journal(dir, "b", large)) == fmt::format("1 folders, {} torn", large.size()));
}

TEST_CASE("rubbish behind the last append is cut") {
  const temporary_directory dir;
  for (const std::string tail : {"rubbish\n", "rubbish\nmore\n", "\n"})
    CHECK(opened(with_journal(dir, std::to_string(tail.size()), tail)) ==
          fmt::format("1 folders, {} torn", tail.size()));
}

TEST_CASE("what is cut off is kept beside the journal") {
  const temporary_directory dir;
  const std::string tail = folder_line(3, 2) + "deadbeef 4 f";
  const std::string path = with_journal(dir, "a", tail);
  CHECK(opened(path) == fmt::format("1 folders, {} torn", tail.size()));
  CHECK(kept_beside(path) == tail);
}

TEST_CASE("an append that an index has seen whole is damaged, never torn") {
  const temporary_directory dir;
  const std::string path = with_journal(dir, "a", folder_line(3, 2) + commit_line(4));
  REQUIRE(opened(path) == "2 folders, 0 torn");
  const auto size = std::filesystem::file_size(path + "/journal");
  std::fstream(path + "/journal").seekp(static_cast<std::streamoff>(size - 1)) << 'x';
  CHECK(opened(path) == "journal-damaged");
  CHECK(std::filesystem::file_size(path + "/journal") == size);
  // Without the index nothing tells it from a write that was cut short.
  std::filesystem::remove(path + "/index");
  const std::string now = opened(path);
  CHECK(now == fmt::format("1 folders, {} torn", kept_beside(path).size()));
  CHECK(kept_beside(path).ends_with('x'));
}

TEST_CASE("damage before a later append is an error, never a silent cut") {
  const temporary_directory dir;
  const std::string damaged = "rubbish\n" + commit_line(4);
  CHECK(opened(with_journal(dir, "a", damaged + folder_line(5, 3))) == "journal-damaged");
  CHECK(opened(with_journal(dir, "b", damaged + folder_line(5, 3) + commit_line(6))) ==
        "journal-damaged");
}

TEST_CASE("a number that is missing or comes twice is damage") {
  const temporary_directory dir;
  CHECK(opened(with_journal(dir, "a", folder_line(4, 2) + commit_line(5))) == "journal-damaged");
  CHECK(opened(with_journal(dir, "b", folder_line(2, 2) + commit_line(3))) == "journal-damaged");
  CHECK(opened(with_journal(dir, "c", folder_line(3, 2) + commit_line(4, 2))) == "journal-damaged");
}

TEST_CASE("with any bit of any append flipped the mailbox says so, unless it may be a torn write") {
  const temporary_directory dir;
  const std::string path = with_journal(dir, "a", "");
  {
    auto box = mb::mailbox::open(files, path).value();
    for (const auto* name : {"b", "c", "d"}) REQUIRE(box.create_folder(name));
  }
  std::ifstream in(path + "/journal");
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const std::size_t last = good.rfind('\n', good.rfind("f 4")) + 1;
  const std::size_t end =
      good.rfind('\n', good.size() - 2);  // what ends the line before the commit
  const std::size_t front = good.find('\n') + 1;
  for (std::size_t at = front; at < good.size(); ++at) {
    CAPTURE(at);
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    std::ofstream(path + "/journal", std::ios::trunc) << bad;
    std::filesystem::remove(path + "/index");
    const std::string now = opened(path);
    // Without its end an append cannot be told from one that was cut short.
    const bool torn = at >= end || (at >= last && bad.find('\0') != std::string::npos);
    if (!torn)
      CHECK(now == "journal-damaged");
    else
      CHECK(now == fmt::format("3 folders, {} torn", good.size() - last));
  }
}

TEST_CASE("a journal that is replaced is noticed by whoever has the mailbox open") {
  const temporary_directory dir;
  const std::string path = with_journal(dir, "a", "");
  auto box = mb::mailbox::open(files, path).value();
  REQUIRE(box.create_folder("gone"));
  const std::string token = box.status("inbox")->token;
  const std::string fresh = dir / "fresh";
  std::ofstream(fresh) << "ima-journal 1 9\n"
                       << mb::journal_line(1, mb::folder_record{1, "inbox", "inbox"})
                       << mb::journal_line(2, mb::folder_record{2, "", "other"})
                       << commit_line(3, 2);
  std::filesystem::rename(fresh, path + "/journal");
  CHECK(box.folders()->back().name == "other");
  CHECK(box.changes("inbox", token, 10).error().rule == "resync");
  REQUIRE(box.create_folder("third"));
  CHECK(mb::mailbox::open(files, path)->folders()->size() == 3);
}
