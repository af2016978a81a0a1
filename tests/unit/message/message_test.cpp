#include "support/unnamed_file.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"
#include "wire/paced_run.hpp"
#include "wire/words.hpp"

#include <ima/message.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace {

std::string compose(const std::vector<std::string>& parts) {
  ima::header_builder builder;
  builder.field("from", "a@a.example").field("to", "b@b.example");
  for (const auto& p : parts)
    builder.part({p.size(), ima::digest::of(p), "application/octet-stream", "", "", "", ""});
  std::string out(builder.build().value().text());
  for (const auto& p : parts) out += p;
  return out;
}

struct outcome {
  std::string header;
  std::vector<std::string> parts;
  bool complete = false;
  std::string rule;
  friend bool operator==(const outcome&, const outcome&) = default;
};

// Feeds `text` in pieces of `step` octets and notes what comes out.
outcome read(std::string_view text, std::size_t step) {
  outcome got;
  ima::message_parser parser;
  std::string piece;
  std::string current;
  while (true) {
    auto event = parser.next();
    if (!event) {
      got.rule = event.error().rule;
      return got;
    }
    if (std::holds_alternative<ima::need_input>(*event)) {
      if (text.empty()) {
        parser.finish();
        continue;
      }
      piece = text.substr(0, step);
      text.remove_prefix(piece.size());
      parser.feed(piece);
    } else if (const auto* h = std::get_if<ima::header_received>(&*event)) {
      got.header = h->header.text();
    } else if (const auto* p = std::get_if<ima::part_received>(&*event)) {
      current += p->slice.bytes();
      if (p->slice.last()) got.parts.push_back(std::exchange(current, ""));
    } else {
      got.complete = true;
      return got;
    }
  }
}

}  // namespace

TEST_CASE("a message reads the same whole and byte by byte") {
  const std::vector<std::vector<std::string>> bodies{
      {}, {""}, {"hello\n"}, {"", "a", "", std::string(70'000, '\0'), ""}, {"\n\n", "ima: 1\n\n"}};
  for (const auto& parts : bodies) {
    const std::string text = compose(parts);
    const outcome whole = read(text, text.size());
    CHECK(whole.complete);
    CHECK(whole.parts == parts);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}})
      CHECK(read(text, step) == whole);
  }
}

TEST_CASE("a message cut anywhere is truncated and never complete") {
  const std::string text = compose({"hello", "", "world"});
  for (std::size_t length = 0; length < text.size(); ++length) {
    const outcome got = read(std::string_view(text).substr(0, length), 3);
    CHECK(!got.complete);
    CHECK(got.rule == "truncated");
  }
}

TEST_CASE("a damaged part is noticed at its last octet and its last slice withheld") {
  std::string text = compose({"hello", "world"});
  text[text.size() - 8] ^= 1;
  const outcome got = read(text, 1);
  CHECK(got.rule == "part-digest");
  CHECK(got.parts.empty());
}

TEST_CASE("after an error every call returns the same error") {
  ima::message_parser parser;
  parser.feed("nonsense\n\n");
  const auto first = parser.next();
  REQUIRE(!first);
  parser.feed(compose({}));
  CHECK(parser.next().error() == first.error());
}

TEST_CASE("octets after a message stay with the caller") {
  const std::string text = compose({"x"}) + "MAIL";
  ima::message_parser parser;
  parser.feed(text);
  auto event = parser.next();
  while (event && !std::holds_alternative<ima::message_complete>(*event)) event = parser.next();
  REQUIRE(event);
  CHECK(parser.rest() == "MAIL");
}

TEST_CASE("lines and counts come out of any pieces") {
  ima::wire::input in(16);
  in.feed("one\ntw");
  CHECK(**in.line() == "one");
  CHECK(!*in.line());
  in.keep();
  in.feed("o\nabcdef");
  CHECK(**in.line() == "two");
  CHECK(in.exactly(3) == "abc");
  CHECK(!in.exactly(4));
  in.keep();
  in.feed("ghij");
  CHECK(in.exactly(4) == "defg");
  CHECK(in.some(2) == "hi");
  CHECK(in.some(100) == "j");
  in.finish();
  CHECK(in.at_end());
}

TEST_CASE("a line may be as long as its limit with its LF and no longer") {
  ima::wire::input fits(4);
  fits.feed("abc\n");
  CHECK(**fits.line() == "abc");
  ima::wire::input over(4);
  over.feed("abcd");
  CHECK(over.line().error().rule == "line-length");
  ima::wire::input control(10);
  control.feed("a\rb\n");
  CHECK(control.line().error().rule == "line-control");
}

TEST_CASE("numbers are decimal without sign, leading zero or overflow") {
  using ima::wire::parse_number;
  CHECK(parse_number("0") == 0U);
  CHECK(parse_number("18446744073709551615") == 18446744073709551615ULL);
  for (const auto* bad : {"", "00", "01", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616"})
    CHECK(!parse_number(bad));
}

TEST_CASE("words stand apart by one space") {
  std::string_view line = "MAIL 12 rest of it";
  CHECK(ima::wire::take_word(line) == "MAIL");
  CHECK(ima::wire::take_word(line) == "12");
  CHECK(line == "rest of it");
  line = "a ";
  CHECK(ima::wire::take_word(line).empty());
  line = " a";
  CHECK(ima::wire::take_word(line).empty());
}

TEST_CASE("what stands before a mark is taken with it, and all where there is none") {
  std::string_view text = "a  b ";
  for (const auto* each : {"a", "", "b", "", ""}) CHECK(ima::wire::take_up_to(text, ' ') == each);
  text = "b";
  CHECK(ima::wire::take_up_to(text, ' ') == "b");
  CHECK(text.empty());
}

TEST_CASE("a file under no name lies where TMPDIR says, and in /tmp where it says nothing") {
  const auto place = [](const char* set) {
    ::setenv("TMPDIR", set, 1);
    const auto file = ima::unnamed_file("storage");
    if (!file) return std::string(file.error().rule);
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file->get())).string();
  };
  const char* const before = std::getenv("TMPDIR");
  const std::string was = before == nullptr ? "" : before;
  CHECK(place("").starts_with("/tmp/libima-"));
  CHECK(place("").ends_with(" (deleted)"));
  CHECK(place(".").starts_with(std::filesystem::current_path().string() + "/libima-"));
  CHECK(place("/nowhere at all") == "storage");
  before == nullptr ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", was.c_str(), 1);
}

TEST_CASE("a body's minimum rate is kept to the millisecond") {
  ima::limits bounds;
  bounds.body_rate = 1000;
  for (const int patience : {1, 250, 1900, 30'000}) {
    CAPTURE(patience);
    bounds.body_grace = std::chrono::milliseconds(patience);
    const auto due = static_cast<std::uint64_t>(patience);
    ima::wire::paced_run run(2 * due + 1, bounds);
    CHECK_FALSE(run.take(due - 1));
    CHECK(run.take(1));
    CHECK_FALSE(run.take(due - 1));
    CHECK(run.take(1));
    CHECK_FALSE(run.take(1));  // the last octet begins no other wait
    CHECK(run.left() == 0);
  }
}

TEST_CASE("foreign text is cut between characters and loses its controls") {
  CHECK(ima::wire::clean_text("a\nb\xff", 100) ==
        "a\xef\xbf\xbd"
        "b\xef\xbf\xbd");
  CHECK(ima::wire::clean_text("ōō", 3) == "ō");
}

TEST_CASE("output goes out in any pieces") {
  ima::wire::output out;
  out.line("OK");
  out.raw("xyz");
  CHECK(out.pending() == "OK\nxyz");
  out.sent(4);
  CHECK(out.pending() == "yz");
  out.sent(2);
  CHECK(out.size() == 0);
}
