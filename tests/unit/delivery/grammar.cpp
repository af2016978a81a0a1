#include "delivery/grammar.hpp"

#include "delivery/states.hpp"
#include "messages.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

using namespace ima::delivery;

TEST_CASE("every reason word reads back as its value") {
  for (const reason r :
       {reason::syntax, reason::identity, reason::size, reason::recipients, reason::quota,
        reason::policy, reason::loop, reason::in_progress, reason::lapsed, reason::busy,
        reason::storage, reason::shutdown, reason::internal})
    CHECK(reason_from(to_string(r)) == r);
  CHECK_FALSE(reason_from("Syntax"));
  CHECK_FALSE(reason_from(""));
}

TEST_CASE("a command has one spelling") {
  CHECK(grammar::parse_command("MAIL 0")->count == 0);
  CHECK(grammar::parse_command("DATA 18446744073709551615")->count == UINT64_MAX);
  CHECK(grammar::parse_command("CANCEL")->what == grammar::verb::cancel);
  for (const auto* bad : {"", "mail 1", "CANCEL now", "DONE ", " DONE", "DATA1"})
    CHECK(grammar::parse_command(bad).error().rule == "command");
  for (const auto* bad : {"MAIL", "MAIL  1", "MAIL 1 ", "MAIL 01", "DATA -1", "DATA 1x"})
    CHECK_FALSE(grammar::parse_command(bad));
}

TEST_CASE("DEFER tells a verdict, a reason and a recipient apart") {
  using namespace grammar;
  CHECK(std::holds_alternative<verdict_line>(*parse_reply("DEFER")));
  CHECK(std::holds_alternative<refusal_line>(*parse_reply("DEFER busy")));
  CHECK(std::holds_alternative<refusal_line>(*parse_reply("DEFER busy a@b.example")));
  CHECK(std::holds_alternative<recipient_line>(*parse_reply("DEFER bob@b.example later")));
}

TEST_CASE("a reply keeps the text for people as it is") {
  using namespace grammar;
  const auto full = parse_reply("FAIL bob@b.example mailbox  is full");
  CHECK(std::get<recipient_line>(*full).text == "mailbox  is full");
  CHECK(std::get<refusal_line>(*parse_reply("REJECT policy no")).text == "no");
}

TEST_CASE("what is no reply is refused") {
  for (const auto* bad :
       {"", "ok", "OK ", "OK  bob@b.example", "OK bob", "ACCEPT ", "ACCEPT x", "REJECT", "REJECT ",
        "REJECT Policy", "PARTIAL bob@b.example", "NORECIPIENT", "MAIL 5"})
    CHECK_MESSAGE(grammar::parse_reply(bad).error().rule == "reply", bad);
}

TEST_CASE("text for people cannot leave its line") {
  const std::string line = grammar::format_refusal(true, "policy", "no\r\nOK \x01");
  CHECK(line == "REJECT policy no\xef\xbf\xbd\xef\xbf\xbdOK \xef\xbf\xbd");
  CHECK(grammar::format_result(outcome::fail, "b@b.example", std::string(9999, 'x')).size() < 1000);
}

TEST_CASE("the greeting reads back") {
  const std::string line = grammar::format_greeting("b.example", 1000);
  const auto heard = grammar::parse_greeting(line);
  REQUIRE(heard);
  CHECK(heard->host == "b.example");
  CHECK(heard->max_size == 1000);
  for (const auto* bad : {"IMDP 1", "IMDP 1 ", "IMDP 11 b.example max-size=1",
                          "IMDP 1 B.example max-size=1", "IMDP  1 b.example max-size=1",
                          "IMDP 1 b.example max-size=1 ", "IMDP 1 b.example max-size=1 max-size=2"})
    CHECK_MESSAGE(grammar::parse_greeting(bad).error().rule == "greeting", bad);
}

TEST_CASE("a command that is not in the table is illegal") {
  using s = server_state;
  using v = grammar::verb;
  for (const s state : {s::ready, s::declined, s::accepted})
    for (const v verb : {v::mail, v::data, v::cancel, v::done}) {
      const bool body_command = verb == v::data || verb == v::cancel;
      const bool legal = state == s::declined || body_command == (state == s::accepted);
      CHECK((transition(state, verb) != action::illegal) == legal);
    }
}
