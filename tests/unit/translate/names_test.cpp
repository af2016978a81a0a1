#include "translate/encoded_words.hpp"
#include "translate/hash_table.hpp"
#include "translate/maildir_names.hpp"
#include "translate/mime_words.hpp"

#include <ima/translate/submission.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace ima::translate;

namespace {

sendmail_request read(const std::vector<std::string>& words) {
  return read_sendmail_arguments(words).value();
}

}  // namespace

TEST_CASE("flags are letters in a file's name and back") {
  CHECK(info_of({}) == ":2,");
  CHECK(info_of({"seen", "answered", "flagged", "draft", "deleted", "forwarded", "x"}) ==
        ":2,DFPRST");
  CHECK(flags_of("1.a.ima:2,FS") == std::vector<std::string>{"flagged", "seen"});
  CHECK(flags_of("1.a.ima").empty());
  CHECK(base_of("1.a.ima:2,S") == "1.a.ima");
}

TEST_CASE("a file is ours, whatever a synchroniser writes into its name") {
  for (const char* name :
       {"1.a.ima", "1.a.ima:2,S", "1.a.ima,U=5", "1.a.ima,U=5:2,FS", "1.a.ima,U=5,FMD5=x.y:2,"})
    CHECK(own_base_of(name) == "1.a");
  for (const char* name : {"", "1.a", "1.a:2,S", "1.a,x.ima:2,", "1.a,U=5:2,S"})
    CHECK(own_base_of(name).empty());
  CHECK(with_flags("1.a.ima,U=5:2,Sa", {"flagged"}) == "1.a.ima,U=5:2,Fa");
}

TEST_CASE("a folder's name is a directory's and back") {
  for (const char* folder : {"inbox", "sent", "a/b/c", "v1.2", "a=b", "=2E", "übrig/läßt", "R&D",
                             "&-", "&APw-", "日本語/😀.x", "a\u0101\u0102\u0103&b"})
    CHECK(folder_of(directory_of(folder).value()) == folder);
  CHECK(directory_of("lists/v1.2").value() == ".lists.v1=2E2");
  CHECK(directory_of("../x").value() == ".=2E=2E.x");
}

TEST_CASE("folders beyond ASCII are called as other programs call them") {
  CHECK(directory_of("Entwürfe").value() == ".Entw&APw-rfe");
  CHECK(directory_of("台北/R&D").value() == ".&U,BTFw-.R&-D");
  CHECK(directory_of("😀").value() == ".&2D3eAA-");
}

TEST_CASE("what is no modified UTF-7 is a folder's name as it stands") {
  for (const char* name :
       {"R&D", "a&b-c", "&A-", "&AAA-", "&AGE-", "&2D0-", "&3gA-", "&APx-", "é", "&", "&!!!-"})
    CHECK(folder_of(std::string(".") + name) == name);
}

TEST_CASE("a folder whose name is too long for a directory has none") {
  CHECK(directory_of(std::string(254, 'x')));
  const auto long_one = directory_of(std::string(255, 'x'));
  REQUIRE_FALSE(long_one);
  CHECK(long_one.error().rule == "folder-name");
  CHECK_FALSE(directory_of(std::string(100, '.')));
}

TEST_CASE("a mirror has a directory of its own for each folder") {
  CHECK(mirror_directory_of("a/b") == ".a.b");
  std::set<std::string> names;
  for (const std::string& name :
       {std::string(255, 'x'), std::string(256, 'x'), std::string(100, '.'),
        std::string("\xC3\xA9/") + std::string(300, 'y')}) {
    const std::string made = mirror_directory_of(name);
    CHECK(made.size() <= 255);
    CHECK(made.size() > 200);
    names.insert(made);
  }
  CHECK(names.size() == 4);
  std::string wide;
  for (int i = 0; i < 85; ++i) wide += "\xE3\x81\x82";
  CHECK(folder_of(mirror_directory_of(wide)).starts_with(wide.substr(0, 3 * 70)));
}

TEST_CASE("a table knows the hashes that it was given, and no others") {
  hash_table seen;
  CHECK_FALSE(seen.contains(0));
  for (std::uint64_t i = 0; i < 1000; ++i) {
    CHECK_FALSE(seen.contains((2 * i) << 40U | 7));  // most of them belong into one slot
    seen.insert((2 * i) << 40U | 7);
    seen.insert((2 * i) << 40U | 7);
  }
  seen.insert(0);
  CHECK(seen.contains(0));
  for (std::uint64_t i = 0; i < 1000; ++i) {
    CHECK(seen.contains((2 * i) << 40U | 7));
    CHECK_FALSE(seen.contains((2 * i + 1) << 40U | 7));
  }
}

TEST_CASE("sendmail's options are read as programs give them") {
  const auto all = read({"-oem", "-ti", "-fa@a.example", "-F", "A B", "-B", "8BITMIME", "-N",
                         "never", "x@x.example", "--", "-y@y.example"});
  CHECK(all.from_fields);
  CHECK_FALSE(all.dot_ends);
  CHECK(all.sender == "a@a.example");
  CHECK(all.author_name == "A B");
  CHECK(all.recipients == std::vector<std::string>{"x@x.example", "-y@y.example"});
  CHECK(read({}).dot_ends);
  CHECK_FALSE(read({"-oi"}).dot_ends);
  CHECK(read({"-bm", "-v", "-C", "file"}).settings == "file");
  const auto together =
      read({"-Ac", "-A", "c", "-em", "-I", "-o", "i", "-tf", "a@a.example", "x@x"});
  CHECK(together.recipients == std::vector<std::string>{"x@x"});
  CHECK(together.sender == "a@a.example");
  CHECK(together.from_fields);
  CHECK_FALSE(together.dot_ends);
  CHECK(read({"x@x.example"}).sender.empty());
  for (const std::vector<std::string>& nobody :
       {std::vector<std::string>{"-f", ""}, {"-f", "<>"}, {"-f<>"}, {"-r", ""}})
    CHECK(read(nobody).sender == "<>");
}

TEST_CASE("what sendmail does and we do not is refused") {
  for (const char* word : {"-bs", "-bd", "-bp", "-bi", "-b", "-f", "-z", "--queue", "-tz", "-q"}) {
    const auto got = read_sendmail_arguments({word});
    REQUIRE_FALSE(got);
    CHECK(got.error().rule == "sendmail-option");
  }
}

TEST_CASE("any text is the same after it was encoded words") {
  for (std::string text :
       {std::string("ä"), std::string(200, 'x') + "ö" + std::string(99, 'y'),
        std::string("=?utf-8?q?x?="), std::string("日本語の件名です。日本語の件名です。"),
        std::string("a \" \\ b")}) {
    CHECK(decode_text(write_encoded_words(text)) == text);
    CHECK(decode_text(join_encoded_words(write_encoded_words(text))) == text);
  }
}

TEST_CASE("a field is folded at its spaces and nowhere else") {
  const std::string value = "one  two " + std::string(90, 'x') + " three";
  const std::string folded = fold_field("Name", value, "\n");
  CHECK(folded == "Name: one  two\n " + std::string(90, 'x') + "\n three\n");
}
