#include "translate/from_line.hpp"

#include <doctest/doctest.h>

#include <chrono>

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
