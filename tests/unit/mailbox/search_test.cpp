#include "fixture.hpp"
#include "forgetful_file_system.hpp"
#include "mailbox/words.hpp"

#include <set>

using namespace mailbox_test;

namespace {

auto& files = mb::posix_file_system();

struct library {
  temporary_directory dir;
  std::string path = dir / "bob";
  mb::mailbox box;

  library() : box(make(path)) {}
  static mb::mailbox make(const std::string& path) {
    REQUIRE(mb::mailbox::create(files, path));
    return mb::mailbox::open(files, path).value();
  }
  std::string add(const message& m) {
    const auto done = deliver(files, m, path);
    REQUIRE(done);
    REQUIRE(box.take_in());
    return done->id;
  }
  // The subjects of what is found, newest first.
  std::vector<std::string> found(const mb::query& what, std::string_view folder = "") {
    std::vector<std::string> subjects;
    const auto page = box.search(folder, what, "", 100);
    if (!page) return {std::string(page.error().rule)};
    for (const auto& hit : page->hits)
      subjects.emplace_back(box.header(hit.folder, hit.message.id).value()->header.subject());
    return subjects;
  }
  std::vector<std::string> with(std::string_view words,
                                mb::search_field field = mb::search_field::any) {
    return found({.texts = {{std::string(words), field, false}}});
  }
};

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("words are found in every script, by phrase, without case and accents") {
  library l;
  l.add(compose("latin", {{"The Café stands beside the Bahnhofstraße, and it rains."}}));
  l.add(compose("greek", {{"Ο Όμηρος έγραψε την Οδύσσεια."}}));
  l.add(compose("japanese", {{"東京都に住んでいます。メールは届きましたか。"}}));
  l.add(compose("chinese", {{"我昨天在北京大学看书"}}));
  l.add(compose("korean", {{"서울에서 만나요"}}));
  l.add(compose("thai", {{"สวัสดีชาวโลก"}}));
  l.add(compose("arabic", {{"مرحبا بالعالم"}}));
  l.add(compose("hindi", {{"नमस्ते दुनिया"}}));
  CHECK(l.with("cafe") == names{"latin"});
  CHECK(l.with("CAFÉ stands") == names{"latin"});
  CHECK(l.with("stands cafe").empty());
  CHECK(l.with("bahnhof") == names{"latin"});
  CHECK(l.with("hofstraße").empty());
  CHECK(l.with("ΌΜΗΡΟΣ") == names{"greek"});
  CHECK(l.with("京都") == names{"japanese"});
  CHECK(l.with("メール") == names{"japanese"});
  CHECK(l.with("北京大学") == names{"chinese"});
  CHECK(l.with("京") == names{"chinese", "japanese"});
  CHECK(l.with("学大").empty());
  CHECK(l.with("만나") == names{"korean"});
  CHECK(l.with("ชาว") == names{"thai"});
  CHECK(l.with("مرحبا") == names{"arabic"});
  CHECK(l.with("दुनिया") == names{"hindi"});
}

TEST_CASE("words are looked for where they are asked for") {
  using mb::search_field;
  library l;
  l.add(compose("invoice", {{"text about rain"}, {"PDF", "application/pdf", "bill of March.pdf"}}));
  CHECK(l.with("invoice", search_field::subject) == names{"invoice"});
  CHECK(l.with("invoice", search_field::body).empty());
  CHECK(l.with("rain", search_field::body) == names{"invoice"});
  CHECK(l.with("bill of march", search_field::attachment) == names{"invoice"});
  CHECK(l.with("alice", search_field::sender) == names{"invoice"});
  CHECK(l.with("alice@a.example") == names{"invoice"});
  CHECK(l.with("alice", search_field::recipient).empty());
  CHECK(l.with("bob", search_field::recipient) == names{"invoice"});
  // What pins the body is no text.
  CHECK(l.with("application/pdf").empty());
}

TEST_CASE("a query's operators are words, and one without a word is refused") {
  library l;
  l.add(compose("odd", {{"this AND that \"quoted\" OR (nothing) subject:x * ^a"}}));
  for (const auto* text : {"AND", "that \"quoted\" OR", "(nothing)", "subject:x", "x * ^a"})
    CHECK(l.with(text) == names{"odd"});
  CHECK(l.with("") == names{"search-text"});
  CHECK(l.with("\" * ()") == names{"search-text"});
  CHECK(l.with("—").empty());
}

TEST_CASE("case does not count in Greek and Cyrillic, nor width in ASCII") {
  library l;
  l.add(compose("greek", {{"Στην πόλη"}}));
  l.add(compose("russian", {{"Привет, МИР"}}));
  l.add(compose("wide", {{"ＡＢＣ１２３株式会社"}}));
  CHECK(l.with("ΠΌΛΗ") == names{"greek"});
  CHECK(l.with("στην") == names{"greek"});
  CHECK(l.with("привет мир") == names{"russian"});
  CHECK(l.with("abc123") == names{"wide"});
  CHECK(l.with("ａｂｃ１２３株式") == names{"wide"});
}

TEST_CASE("hypertext is searched as a person reads it") {
  library l;
  l.add(compose("umlauts", {{"<style>p{color:zebra}</style>Sch&ouml;ne Gr&uuml;&szlig;e aus "
                             "z&#x00fc;rich, wond<b>er</b>ful",
                             "text/html"}}));
  for (const auto* word : {"Schöne Grüße", "ZÜRICH", "wonderful"})
    CHECK(l.with(word) == names{"umlauts"});
  for (const auto* word : {"ouml", "zebra", "ful"}) CHECK(l.with(word).empty());
  l.add(compose("web", {{"<p class=\"bold\">plain<br>words</p><unfinished", "text/html"}}));
  CHECK(l.with("plain words") == names{"web"});
  CHECK(l.with("bold").empty());
  CHECK(l.with("unfinished").empty());
}

TEST_CASE("flags, sizes, dates and absent words narrow a search") {
  library l;
  const auto one = l.add(compose("one", {{"apples"}}));
  l.add(compose("two", {{"apples and " + std::string(2000, 'p')}}));
  const std::vector ids{one};
  REQUIRE(l.box.set_flags("inbox", ids, {{"seen", "seen-twice"}, {}, {}}));
  CHECK(l.found({}) == names{"two", "one"});
  CHECK(l.found({.flags = {"seen"}}) == names{"one"});
  CHECK(l.found({.without_flags = {"seen"}}) == names{"two"});
  CHECK(l.found({.flags = {"see"}}).empty());
  CHECK(l.found({.larger = 2000}) == names{"two"});
  CHECK(l.found({.smaller = 2000}) == names{"one"});
  CHECK(l.found({.texts = {{"apples", {}, false}, {"and", {}, true}}}) == names{"one"});
  CHECK(l.found({.texts = {{"and", {}, true}}}) == names{"one"});
  const auto day = ima::timestamp::parse("2026-11-23T09:30:00Z")->at;
  CHECK(l.found({.arrived_since = day}) == names{"two", "one"});
  CHECK(l.found({.arrived_before = day}).empty());
  CHECK(l.found({.arrived_since = day + std::chrono::seconds(1)}).empty());
}

TEST_CASE("the date a message names is searched, and one without is not found") {
  library l;
  ima::header_builder b;
  b.field("from", "alice@a.example").field("date", "2020-01-01T00:00:00Z").field("subject", "old");
  l.add({b.build().value(), ""});
  l.add(compose("undated", {}));
  const auto day = ima::timestamp::parse("2020-01-01T00:00:00Z")->at;
  CHECK(l.found({.sent_since = day}) == names{"old"});
  CHECK(l.found({.sent_before = day}).empty());
  CHECK(l.found({.sent_before = day + std::chrono::seconds(1)}) == names{"old"});
}

TEST_CASE("pages follow each other, through moves, a lost index and at another host") {
  library l;
  for (int i = 0; i < 25; ++i) l.add(compose(fmt::format("m{}", i), {{"apples"}}));
  REQUIRE(l.box.create_folder("kept"));
  const mb::query what{.texts = {{"apples", {}, false}}};
  std::set<std::string> seen;
  std::string from;
  int pages = 0;
  do {
    auto other = mb::mailbox::open(files, l.path, {l.dir / "other"}).value();
    auto& box = pages % 2 == 0 ? l.box : other;
    const auto page = box.search("", what, from, 10).value();
    for (const auto& hit : page.hits) CHECK(seen.insert(hit.message.id).second);
    const std::vector ids{page.hits.front().message.id};
    REQUIRE(l.box.move("inbox", "kept", ids));
    std::filesystem::remove(l.path + "/index");
    from = page.next;
    ++pages;
  } while (!from.empty());
  CHECK(pages == 3);
  CHECK(seen.size() == 25);
  CHECK(l.found(what, "kept").size() == 3);
  CHECK(l.box.search("", what, "1.0.2", 10).error().rule == "resync");
  CHECK(l.box.search("nowhere", what, "", 10).error().rule == "no-folder");
}

TEST_CASE("what was removed is found no more, and its words do not pile up") {
  library l;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> ids;
    for (int i = 0; i < 400; ++i)
      ids.push_back(
          deliver(files, compose(fmt::format("{} {}", round, i), {{"pear"}}), l.path)->id);
    REQUIRE(l.box.take_in());
    CHECK(l.box.search("inbox", {.texts = {{"pear", {}, false}}}, "", 1000)->hits.size() == 400);
    REQUIRE(l.box.remove("inbox", ids));
    CHECK(l.with("pear").empty());
  }
  l.add(compose("left", {{"pear"}}));
  CHECK(l.with("pear") == names{"left"});
}

TEST_CASE("messages become searchable a few at a time") {
  library l;
  for (int i = 0; i < 5; ++i) REQUIRE(deliver(files, compose(fmt::format("{}", i), {}), l.path));
  REQUIRE(l.box.take_in());
  CHECK_FALSE(l.box.make_searchable(3).value());
  CHECK(l.box.make_searchable(3).value());
}

TEST_CASE("a search reads a bounded number of new messages and is to be asked again") {
  forgetful_file_system disk;
  const std::string path = "/bob";
  REQUIRE(mb::mailbox::create(disk, path));
  constexpr std::size_t many = 1024 + 1;
  for (std::size_t i = 0; i < many; ++i)
    REQUIRE(deliver(disk, compose(fmt::format("{}", i), {{"pear"}}), path));
  auto box = mb::mailbox::open(disk, path, {":memory:"}).value();
  REQUIRE(box.take_in());
  const mb::query pears{.texts = {{"pear", {}, false}}};
  const auto first = box.search("inbox", pears, "", many).value();
  CHECK(first.hits.empty());
  REQUIRE_FALSE(first.next.empty());
  const auto second = box.search("inbox", pears, first.next, many).value();
  CHECK(second.hits.size() == many);
  CHECK(second.next.empty());
}

TEST_CASE("a message that could not be read is found once it can") {
  library l;
  const auto id = l.add(compose("hidden", {{"pear"}}));
  l.add(compose("open", {{"pear"}}));
  const std::string file = fmt::format("{}/msg/{}/{}.ima", l.path, id.substr(0, 2), id);
  const std::string away = l.dir / "away";
  std::filesystem::rename(file, away);
  std::filesystem::create_directory(file);
  CHECK(l.with("pear") == names{"open"});
  std::filesystem::remove(file);
  std::filesystem::rename(away, file);
  CHECK(l.with("pear") == names{"open", "hidden"});
}
