#include "messages.hpp"

#include <ima/delivery/client.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

using namespace ima::delivery;

namespace {

template <class Event>
bool is(const client_event& event) {
  return std::holds_alternative<Event>(event);
}

client greeted(client_options options = {"b.example", {}}) {
  client c(std::move(options));
  c.receive("IMDP 1 b.example max-size=1000\n");
  CHECK(is<greeting_received>(c.next_event()));
  CHECK(is<client_needs_input>(c.next_event()));
  return c;
}

void send_whole(client& c) {
  CHECK(c.offer(sample::header()));
  CHECK(c.data());
  CHECK(c.body("hello"));
}

}  // namespace

TEST_CASE("calls of a sender out of turn fail and send nothing") {
  client c = greeted();
  CHECK(c.data().error().rule == "out-of-turn");
  CHECK(c.body("x").error().rule == "out-of-turn");
  CHECK(c.cancel().error().rule == "out-of-turn");
  CHECK(c.offer(sample::header()));
  c.sent(c.pending_output().size());
  CHECK(c.offer(sample::header()).error().rule == "out-of-turn");
  CHECK(c.done().error().rule == "out-of-turn");
  CHECK(c.body("x").error().rule == "out-of-turn");
  CHECK(c.pending_output().empty());
  CHECK(c.data());
  CHECK(c.body("hello!").error().rule == "body-length");
  CHECK(c.cancel().error().rule == "out-of-turn");
  CHECK(c.pending_output() == "DATA 5\n");
}

TEST_CASE("a body that has begun is finished even when the message is refused") {
  client c = greeted();
  CHECK(c.offer(sample::header()));
  CHECK(c.data());
  CHECK(c.body("he"));
  c.receive("REJECT policy no\n");
  CHECK(is<offer_declined>(c.next_event()));
  CHECK(c.offer(sample::header()).error().rule == "out-of-turn");
  CHECK(c.body("llo"));
  CHECK(c.offer(sample::header()));
}

TEST_CASE("only recipients at this host get results") {
  client c = greeted();
  CHECK(c.offer(sample::header({"bob@b.example", "carol@c.example"}, {})));
  CHECK(c.data());
  c.receive("ACCEPT\nOK carol@c.example\nOK\n");
  CHECK(is<offer_accepted>(c.next_event()));
  CHECK(is<note_received>(c.next_event()));
  const auto event = c.next_event();
  REQUIRE(is<delivery_complete>(event));
  const auto& results = std::get<delivery_complete>(event).results;
  REQUIRE(results.size() == 1);
  CHECK(results[0].recipient.text() == "bob@b.example");
}

TEST_CASE("replies to messages sent in one go come in order") {
  client c = greeted();
  for (int i = 0; i < 3; ++i) send_whole(c);
  CHECK(c.done());
  c.receive("ACCEPT\nOK\nREJECT quota\nACCEPT\nPARTIAL\n");
  CHECK(is<offer_accepted>(c.next_event()));
  CHECK(is<delivery_complete>(c.next_event()));
  CHECK(is<offer_declined>(c.next_event()));
  CHECK(is<offer_accepted>(c.next_event()));
  CHECK(c.timeout() == ima::limits{}.verdict);  // DONE behind it makes nobody less patient
  const auto last = c.next_event();
  CHECK(std::get<delivery_complete>(last).results[0].what == outcome::defer);
}

TEST_CASE("a connection lost before the verdict leaves the outcome unknown") {
  client c = greeted();
  send_whole(c);
  c.receive("ACCEPT\n");
  CHECK(is<offer_accepted>(c.next_event()));
  CHECK(is<client_needs_input>(c.next_event()));
  c.receive_eof();
  for (int i = 0; i < 2; ++i) {
    const auto event = c.next_event();
    REQUIRE(is<client_closed>(event));
    CHECK(std::get<client_closed>(event).problem->kind == ima::fault::unknown);
  }
  CHECK_FALSE(c.offer(sample::header()));
}

TEST_CASE("whoever wants no notes hears none, and the server may say some") {
  client_options options{"b.example", {}};
  options.bounds.notes = 0;
  client c = greeted(options);
  send_whole(c);
  c.receive("ACCEPT\nNOTE one\nNOTE two\n");
  CHECK(is<offer_accepted>(c.next_event()));
  CHECK(is<client_needs_input>(c.next_event()));
}

TEST_CASE("notes gain the server no time") {
  client c = greeted();
  send_whole(c);
  c.receive("ACCEPT\n");
  CHECK(is<offer_accepted>(c.next_event()));
  CHECK(is<client_needs_input>(c.next_event()));
  const auto before = c.step();
  c.receive("NOTE still here\n");
  CHECK(is<note_received>(c.next_event()));
  CHECK(c.step() == before);
}

TEST_CASE("what comes after the end is dropped, and what came before not looked at again") {
  client c({"b.example", {}});
  auto first = std::make_unique<std::string>("HELLO\n" + std::string(100, 'x'));
  c.receive(*first);
  CHECK(is<client_closed>(c.next_event()));
  first.reset();
  c.receive("IMDP 1 b.example max-size=1000\n");
  CHECK(is<client_closed>(c.next_event()));
}
