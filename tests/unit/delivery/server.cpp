#include "messages.hpp"

#include <ima/delivery/server.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <variant>

using namespace ima::delivery;

namespace {

template <class Event>
bool is(const server_event& event) {
  return std::holds_alternative<Event>(event);
}

server judging(const std::string& input, const ima::limits& bounds = {}) {
  server s({"b.example", bounds});
  s.receive(input);
  CHECK(is<message_offered>(s.next_event()));
  CHECK(is<server_waits>(s.next_event()));
  return s;
}

header_answer accept() {
  header_answer answer;
  answer.what = header_answer::kind::accept;
  return answer;
}

void drain(server& s) { s.sent(s.pending_output().size()); }

void run_to_input(server& s) {
  while (!is<server_needs_input>(s.next_event())) {
  }
}

ima::address bob() { return ima::address::parse("bob@b.example").value(); }

}  // namespace

TEST_CASE("a call out of turn fails and leaves the session as it was") {
  server s({"b.example", {}});
  CHECK(s.answer(accept()).error().rule == "out-of-turn");
  CHECK(s.conclude(verdict::ok).error().rule == "out-of-turn");
  CHECK(s.note("x").error().kind == ima::fault::caller);
  CHECK(s.lapse().error().rule == "out-of-turn");
  CHECK(s.abandon({}).error().rule == "out-of-turn");
  CHECK(is<server_needs_input>(s.next_event()));
}

TEST_CASE("an unknown recipient always means REJECT recipients") {
  server s = judging(sample::offer(sample::header()));
  drain(s);
  header_answer answer = accept();
  answer.unknown.push_back(bob());
  CHECK(s.answer(answer));
  CHECK(s.pending_output() == "NORECIPIENT bob@b.example\nREJECT recipients\n");
}

TEST_CASE("a handler's text cannot forge a line") {
  server s = judging(sample::offer(sample::header()) + "DATA 5\nhello");
  CHECK(s.answer(accept()));
  while (!is<body_complete>(s.next_event())) {
  }
  drain(s);
  CHECK(s.note("x\nOK"));
  CHECK(s.report({bob(), outcome::fail, "a\nOK"}));
  CHECK(s.report({bob(), outcome::ok, ""}));
  CHECK(s.pending_output() ==
        "NOTE x\xef\xbf\xbdOK\nFAIL bob@b.example a\xef\xbf\xbdOK\nNOTE OK bob@b.example\n");
}

TEST_CASE("after the end the session stays closed with its error") {
  server s({"b.example", {}});
  s.receive("HELO\n");
  for (int i = 0; i < 2; ++i) {
    const auto event = s.next_event();
    REQUIRE(is<server_closed>(event));
    CHECK(std::get<server_closed>(event).problem->rule == "command");
    CHECK_FALSE(s.answer(accept()));
    CHECK_FALSE(s.timeout());
  }
}

TEST_CASE("asking whether a session is closed takes no event from it") {
  const std::string input = sample::offer(sample::header()) + "DATA 5\nhello";
  server s = judging(input);
  CHECK(s.answer(accept()));
  s.stop();
  CHECK_FALSE(s.is_closed());
  CHECK(is<body_received>(s.next_event()));
  CHECK(is<body_complete>(s.next_event()));
  CHECK(s.conclude(verdict::ok));
  CHECK(s.is_closed());
}

TEST_CASE("a sender that never reads is made to wait") {
  ima::limits bounds;
  bounds.pending_output = 200;
  std::string flood;
  for (int i = 0; i < 50; ++i) flood += sample::offer(sample::header({"x@c.example"}, {}));
  server s({"b.example", bounds});
  drain(s);
  s.receive(flood);
  while (!is<server_waits>(s.next_event())) {
  }
  CHECK(s.pending_output().size() < 400);
  drain(s);
  CHECK(is<offer_refused>(s.next_event()));
}

TEST_CASE("a header block over the limit is dropped and refused") {
  ima::limits bounds;
  bounds.header_block = 50;
  server s({"b.example", bounds});
  drain(s);
  const std::string begun = "MAIL 51\n" + std::string(30, 'x');
  s.receive(begun);
  CHECK(is<server_needs_input>(s.next_event()));
  const std::string rest(21, 'x');
  s.receive(rest);
  CHECK(is<offer_refused>(s.next_event()));
  CHECK(s.pending_output().starts_with("REJECT size "));
  s.receive("DONE\n");
  CHECK(is<server_closed>(s.next_event()));
}

TEST_CASE("a dropped body that came in two pieces does not stall what follows it") {
  const std::string offer = sample::offer(sample::header());
  server s = judging(offer + "DATA 5\nhe");
  CHECK(s.answer({}));
  s.receive("lloDONE\n");
  CHECK(is<server_closed>(s.next_event()));
}

TEST_CASE("each wait has its time, and a new wait a new step") {
  const ima::limits bounds;
  server s({"b.example", bounds});
  CHECK(is<server_needs_input>(s.next_event()));
  CHECK(s.timeout() == bounds.idle);
  const std::string offer = sample::offer(sample::header());
  s.receive(ima::octets(offer).substr(0, 20));
  CHECK(is<server_needs_input>(s.next_event()));
  CHECK(s.timeout() == bounds.line);
  s.receive(ima::octets(offer).substr(20));
  CHECK(is<message_offered>(s.next_event()));
  CHECK_FALSE(s.timeout());
  CHECK(is<server_waits>(s.next_event()));
  const auto before = s.step();
  CHECK(s.answer(accept()));
  CHECK(s.accept_pending());
  CHECK(s.timeout() == bounds.accept_lapse);
  CHECK(s.step() != before);
}

TEST_CASE("a body must keep the minimum rate: each window of time has its due octets") {
  ima::limits bounds;
  bounds.body_rate = 2;
  bounds.body_grace = std::chrono::seconds(2);
  const std::string text(10, 'x');
  server s = judging(sample::offer(sample::header({"bob@b.example"}, {text})), bounds);
  CHECK(s.answer(accept()));
  s.receive("DATA 10\n");
  run_to_input(s);
  CHECK(s.timeout() == bounds.body_grace);
  const auto first = s.step();
  s.receive("xxx");
  run_to_input(s);
  CHECK(s.step() == first);
  s.receive("x");
  run_to_input(s);
  CHECK(s.step() != first);
}

TEST_CASE("a handler that drops an offer ends the connection without a word") {
  server s = judging(sample::offer(sample::header()));
  drain(s);
  header_answer answer;
  answer.what = header_answer::kind::drop;
  CHECK(s.answer(answer));
  CHECK(s.pending_output().empty());
  CHECK(is<server_closed>(s.next_event()));
}

TEST_CASE("a note without text is no line") {
  server s({"b.example", {}});
  const std::string input = sample::offer(sample::header()) + "DATA 5\nhello";
  s.receive(input);
  REQUIRE(is<message_offered>(s.next_event()));
  REQUIRE(s.answer(accept()));
  while (!is<body_complete>(s.next_event())) {
  }
  drain(s);
  CHECK(s.note(""));
  CHECK(s.conclude(verdict::ok));
  CHECK(s.pending_output() == "OK\n");
}

TEST_CASE("as many notes as are allowed are passed on, and the last says that more were left out") {
  ima::limits bounds;
  bounds.notes = 2;
  server s({"b.example", bounds});
  for (int message = 0; message < 2; ++message) {  // the count begins anew with each message
    const std::string input = sample::offer(sample::header()) + "DATA 5\nhello";
    s.receive(input);
    CHECK(is<message_offered>(s.next_event()));
    CHECK(s.answer(accept()));
    while (!is<body_complete>(s.next_event())) {
    }
    drain(s);
    for (int i = 0; i < 4; ++i) CHECK(s.note("x"));
    CHECK(s.conclude(verdict::ok));
    CHECK(s.pending_output() == "NOTE x\nNOTE more was said and is left out\nOK\n");
    CHECK(is<server_needs_input>(s.next_event()));
  }
}

TEST_CASE("what comes after the end is dropped, and what came before not looked at again") {
  server s({"b.example", {}});
  auto first = std::make_unique<std::string>("HELLO\n" + std::string(100, 'x'));
  s.receive(*first);
  CHECK(is<server_closed>(s.next_event()));
  first.reset();
  s.receive("DONE\n");
  CHECK(is<server_closed>(s.next_event()));
}
