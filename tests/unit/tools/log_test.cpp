#include "log.hpp"

#include <doctest/doctest.h>

using namespace ima;

TEST_CASE("an event is one line, whatever its values hold") {
  const log_event event{log_level::warning,
                        "message-refused",
                        {{"from", "alice@a.example"}, {"reason", "two\nlines \"quoted\""}}};
  CHECK(tools::format_event(event, "2026-11-24T00:00:00Z") ==
        "2026-11-24T00:00:00Z warning message-refused from=alice@a.example "
        "reason=\"two\\x0alines \\\"quoted\\\"\"");
}

TEST_CASE("an empty value is shown") {
  CHECK(tools::format_event({log_level::info, "x", {{"key", ""}}}, "T") == "T info x key=\"\"");
}
