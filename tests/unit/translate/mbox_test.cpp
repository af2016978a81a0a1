#include "translate/from_line.hpp"
#include "translate/mbox_notes.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace ima::translate;
using namespace std::chrono_literals;

TEST_CASE("a line with a date at its end is one that programs write before a message") {
  constexpr std::chrono::sys_seconds morning{1704103200s};  // 2024-01-01 10:00 UTC
  for (const char* line :
       {"From a@a.example Mon Jan  1 10:00:00 2024", "From - Mon Jan 01 10:00:00 2024",
        "From a@a.example Mon Jan  1 10:00 2024", "From a b@b.example Mon Jan  1 10:00:00 2024",
        "From a@a.example Mon Jan  1 11:00:00 +0100 2024",
        "From a@a.example Mon Jan  1 11:00:00 2024 +0100",
        "From a@a.example Mon Jan  1 05:00:00 EST 2024",
        "From a@a.example Mon Jan  1 10:00:00 2024 GMT (UTC)",
        "From a!b Mon Jan  1 10:00 2024 remote from host", "From Mon Jan  1 10:00:00 2024",
        "From a@a.example Mon, 1 Jan 2024 11:00:00 +0100",
        "From a@a.example Jan 1 10:00:00 2024\t"}) {
    CAPTURE(line);
    CHECK(is_separator(line));
    CHECK(time_of_from_line(line) == morning);
  }
  CHECK(is_separator("From a@a.example Thu Jan  1 10:00:00 MET DST 1998"));
  CHECK(is_separator("From "));
  CHECK_FALSE(time_of_from_line("From "));
}

TEST_CASE("a line of text that begins with From is not") {
  for (const char* line :
       {"From there we went on", "From", "From: a@a.example", "From a@a.example",
        "From Monday Jan 1 on", "From Jan 1 10:00 2024 we had", "From 10:00 to 12:00 in May 2024",
        "From x Mon Jan 1 10:00:00 2024, he wrote:", "From x Mon Jan 1 2024",
        "From x Mon Jan 1 10:00:00", "From x Jan 1 10:00:00 2024 remote from",
        "From x Mon Jan 1 1:0:0 2024", "From x Mon Jan 111 10:00:00 2024", ">From "})
    CHECK_FALSE_MESSAGE(is_separator(line), line);
}

TEST_CASE("flags are read from what programs write into a header") {
  using flags = std::vector<std::string>;
  const auto read = [](const std::vector<const char*>& lines) {
    mbox_notes notes;
    for (const char* line : lines) notes.read(line);
    CHECK(notes.gone(true).empty());
    return notes.flags();
  };
  CHECK(read({"Status: RO", "X-Status: AF"}) == flags{"seen", "answered", "flagged"});
  CHECK(read({"STATUS: O", "x-status: TD", " F"}) == flags{"draft", "deleted"});
  CHECK(read({"X-Account-Key: account1", "X-UIDL: R", "X-Mozilla-Status: 0001"}) == flags{"seen"});
  CHECK(read({"X-Mozilla-Status: 1007", "Status: R"}) ==
        flags{"seen", "answered", "flagged", "forwarded"});
  CHECK(read({"X-Mozilla-Status: 0000", "X-Mozilla-Status2: 00000008"}).empty());
  CHECK(read({"X-Mozilla-Status: read", "X-Mozilla-Status: 9 8"}).empty());
}

TEST_CASE("what a program deleted in an mbox, or keeps there for itself, is no mail") {
  const auto is_gone = [](const std::vector<const char*>& lines, bool first = true) {
    mbox_notes notes;
    for (const char* line : lines) notes.read(line);
    return !notes.gone(first).empty();
  };
  CHECK(is_gone({"X-Mozilla-Status: 0009", "From: a@a.example"}));
  CHECK(is_gone({"X-Mozilla-Status: 0009"}, false));
  CHECK_FALSE(is_gone({"X-Mozilla-Status: 0001"}));
  const char* const internal = "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA";
  CHECK(is_gone({internal, "X-IMAP: 1234567890 0000000003"}));
  CHECK_FALSE(is_gone({internal, "X-IMAP: 1234567890 0000000003"}, false));
  CHECK_FALSE(is_gone({internal}));
  CHECK_FALSE(is_gone({"X-IMAPbase: 1234567890 0000000003", "Subject: hello"}));
}

TEST_CASE("nobody deletes a mail by what he writes into it") {
  mbox_notes notes;
  for (const char* line : {"Received: by b.example", "X-Mozilla-Status: 0009"}) notes.read(line);
  CHECK(notes.gone(true).empty());
  CHECK(notes.flags().empty());
}
