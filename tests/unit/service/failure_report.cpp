#include <ima/service/failure_report.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>

using namespace ima;
using namespace ima::service;

namespace {

const std::string entry(64, '0');  // of a queue

// What becomes of a message with these lines whose only recipient is refused.
result<small_message> report_about(const header_builder& lines, const limits& bounds = {}) {
  queued_host host;
  host.host = "b.example";
  host.results = {{address::parse("bob@b.example").value(), delivery::outcome::fail, "no"}};
  return failure_report(lines.build(bounds).value(), entry, host);
}

header_builder message_with(const std::string& name, const std::string& value) {
  header_builder lines;
  lines.field("from", "alice@a.example").field("to", "bob@b.example").field(name, value);
  return lines;
}

std::string body_of(small_message& report) {
  std::string text(static_cast<std::size_t>(report.header().body_size()), '\0');
  REQUIRE(report.read_at(0, text.data(), text.size()));
  return text;
}

}  // namespace

TEST_CASE("a report can be made whatever stands where its subject is cut") {
  for (std::size_t words = 500; words < 515; ++words) {
    CAPTURE(words);
    const std::string about = std::string(words, 'x') + "   " + std::string(100, 'y');
    const auto cut = report_about(message_with("subject", about));
    REQUIRE(cut);
    CHECK(cut->header().subject().starts_with("Not delivered: xxx"));
    // Each of these letters has two octets.
    std::string letters(words % 2, 'x');
    while (letters.size() < 600) letters += "\xc3\xa9";
    REQUIRE(report_about(message_with("subject", letters)));
  }
}

TEST_CASE("a report names the message it answers only where the longer line has room") {
  const std::size_t longest = limits{}.header_line - 1 - std::string("in-reply-to: ").size();
  const std::string fits(longest, 'x');
  const auto named = report_about(message_with("id", fits));
  REQUIRE(named);
  CHECK(named->header().first("in-reply-to") == fits);
  const auto unnamed = report_about(message_with("id", fits + "x"));
  REQUIRE(unnamed);
  CHECK_FALSE(unnamed->header().first("in-reply-to"));
}

TEST_CASE("a header block over the usual limit is not attached to the report about it") {
  limits wide;
  wide.header_block = wide.header_line = 1 << 20;
  auto attached = report_about(message_with("x", std::string(limits{}.header_line - 100, 'x')));
  REQUIRE(attached);
  CHECK(attached->header().parts().size() == 2);
  auto alone = report_about(message_with("x", std::string(limits{}.header_block, 'x')), wide);
  REQUIRE(alone);
  CHECK(alone->header().parts().size() == 1);
  CHECK(body_of(*alone).find("bob@b.example\n    no\n") != std::string::npos);
  CHECK(body_of(*alone).find("attached") == std::string::npos);
}
