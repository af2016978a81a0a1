#include <ima/service/event_counters.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace ima;
using service::event_counters;

TEST_CASE("events count by their closed words, and no stranger's text makes a counter") {
  event_counters counters;
  for (const char* text : {"one", "two\"} 7\nima_x 1", "three"})
    counters.write({log_level::info, "offer-judged", {{"answer", "reject"}, {"text", text}}});
  counters.write({log_level::info, "message-finished", {{"verdict", "OK"}, {"octets", "17"}}});
  counters.write({log_level::debug, "connection-opened", {{"peer", "::1"}}});
  counters.write({log_level::debug, "connection-opened", {{"peer", "::1"}}});
  counters.write({log_level::debug, "connection-closed", {{"peer", "::1"}}});
  CHECK(counters.open_metrics() ==
        "# TYPE ima_events counter\n"
        "# HELP ima_events Events of the log, by name and closed words.\n"
        "ima_events_total{event=\"connection-closed\"} 1\n"
        "ima_events_total{event=\"connection-opened\"} 2\n"
        "ima_events_total{event=\"message-finished\",verdict=\"OK\"} 1\n"
        "ima_events_total{event=\"offer-judged\",answer=\"reject\"} 3\n"
        "# TYPE ima_body_octets counter\n"
        "# UNIT ima_body_octets octets\n"
        "# HELP ima_body_octets Octets of bodies that were taken.\n"
        "ima_body_octets_total 17\n"
        "# TYPE ima_connections gauge\n"
        "# HELP ima_connections Connections that are open.\n"
        "ima_connections 1\n"
        "# EOF\n");
}

TEST_CASE("every event goes on to the log") {
  event_counters last;
  event_counters first(&last);
  first.write({log_level::info, "stopped", {}});
  CHECK(last.open_metrics() == first.open_metrics());
}
