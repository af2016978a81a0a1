#include <ima/retrieval/client.hpp>
#include <ima/retrieval/server.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace ima;
using namespace ima::retrieval;

namespace {

std::string drain(server& session) {
  std::string out(session.pending_output());
  session.sent(out.size());
  return out;
}

server authenticated_server(limits bounds = {}) {
  server session({"b.example", bounds});
  drain(session);
  session.receive("AUTH bob CERTIFICATE\n");
  REQUIRE(std::holds_alternative<any_request>(session.next_event().value()));
  REQUIRE(session.authenticated());
  drain(session);
  return session;
}

template <class Request>
Request expect_request(server& session, octets input) {
  session.receive(input);
  auto event = session.next_event().value();
  return std::get<Request>(std::get<any_request>(std::move(event)));
}

}  // namespace

TEST_CASE("an answer out of turn is the caller's fault and changes nothing") {
  server session = authenticated_server();
  CHECK(session.ok().error().rule == "out-of-turn");
  expect_request<request::headers>(session, "HEADERS inbox a b\n");
  CHECK(session.folder({"inbox", ""}).error().rule == "out-of-turn");
  CHECK(session.ok("1", false).error().rule == "out-of-turn");
  CHECK(session.ok().error().rule == "out-of-turn");  // two messages are not answered yet
  CHECK(session.authenticated().error().rule == "out-of-turn");
  CHECK(session.pending_output().empty());
  CHECK(session.gone("a"));
  CHECK(session.gone("b"));
  CHECK(session.gone("c").error().rule == "out-of-turn");
  CHECK(session.ok());
  CHECK(drain(session) == "GONE a\nGONE b\nOK\n");
}

TEST_CASE("a part takes exactly the octets that were announced") {
  server session = authenticated_server();
  expect_request<request::fetch>(session, "FETCH inbox a 1\n");
  CHECK(session.part_octets("x").error().rule == "out-of-turn");
  CHECK(session.part_begin(0, 3));
  CHECK(session.part_octets("ab"));
  CHECK(session.ok().error().rule == "out-of-turn");
  CHECK(session.fail(reason::storage, "").error().rule == "out-of-turn");
  CHECK(session.part_octets("cd").error().rule == "part-length");
  CHECK(session.part_octets("c"));
  CHECK(session.ok());
  CHECK(drain(session) == "PART a 1 0 3\nabcOK\n");
}

TEST_CASE("a page is cut to the server's limit") {
  limits bounds;
  bounds.page = 2;
  server session = authenticated_server(bounds);
  CHECK(expect_request<request::changes>(session, "CHANGES inbox 0 500\n").page == 2);
  CHECK(session.change_line({"a", {}}));
  CHECK(session.change_line({"b", {}}));
  CHECK(session.change_line({"c", {}}).error().rule == "out-of-turn");
}

TEST_CASE("the text of a refusal cannot forge another line") {
  server session = authenticated_server();
  expect_request<request::folders>(session, "FOLDERS\n");
  CHECK(session.fail(reason::storage, "disk\nOK\x1b[2J"));
  CHECK(drain(session) == "DEFER storage disk\xef\xbf\xbdOK\xef\xbf\xbd[2J\n");
}

TEST_CASE("a client that does not take its replies is not given more requests") {
  limits bounds;
  bounds.pending_output = 10;
  server session = authenticated_server(bounds);
  expect_request<request::headers>(session, "HEADERS inbox a\nFOLDERS\n");
  CHECK(session.header("a", {std::string(20, 'h'), ""}));
  CHECK(session.ok());
  CHECK(session.output_full());
  CHECK(std::holds_alternative<paused>(session.next_event().value()));
  CHECK(session.timeout() == bounds.line);
  drain(session);
  CHECK(std::holds_alternative<any_request>(session.next_event().value()));
  CHECK_FALSE(session.timeout());
}

TEST_CASE("lines may be long only after the proof") {
  const std::string ids = [] {
    std::string all;
    for (int i = 0; i < 2000; ++i) all += " abcdef";
    return all;
  }();
  server session = authenticated_server();
  CHECK(expect_request<request::headers>(session, "HEADERS inbox" + ids + "\n").ids.size() == 2000);
}

TEST_CASE("a request line at its limit is taken, one octet more closes") {
  limits bounds;
  bounds.request_line = 32;
  for (const std::size_t extra : {std::size_t{0}, std::size_t{1}}) {
    server session = authenticated_server(bounds);
    const std::string input = "STATUS " + std::string(24 + extra, 'f') + "\n";
    session.receive(input);
    const auto event = session.next_event().value();
    CHECK(std::holds_alternative<any_request>(event) == (extra == 0));
    CHECK(std::holds_alternative<closed>(event) == (extra == 1));
  }
}

TEST_CASE("a connection between requests may idle, one inside a request may not") {
  server session({"b.example", {}});
  const limits bounds;
  drain(session);
  CHECK(session.timeout() == bounds.line);
  server open = authenticated_server();
  REQUIRE(std::holds_alternative<need_input>(open.next_event().value()));
  CHECK(open.timeout() == bounds.idle);
  open.receive("FOL");
  REQUIRE(std::holds_alternative<need_input>(open.next_event().value()));
  CHECK(open.timeout() == bounds.line);
}

TEST_CASE("a deadline counts from the beginning of a wait, not from its latest octet") {
  server stranger({"b.example", {}});
  const auto began = stranger.step();
  for (const std::string_view piece : {"FOL", "DERS\n", "STATUS inbox\n", "A"}) {
    stranger.receive(piece);
    REQUIRE(std::holds_alternative<need_input>(stranger.next_event().value()));
    CHECK(stranger.step() == began);
  }
  server user = authenticated_server();
  user.receive("FOL");
  REQUIRE(std::holds_alternative<need_input>(user.next_event().value()));
  const auto inside = user.step();
  user.receive("D");
  REQUIRE(std::holds_alternative<need_input>(user.next_event().value()));
  CHECK(user.step() == inside);
  user.receive("ERS\n");
  REQUIRE(std::holds_alternative<any_request>(user.next_event().value()));
  REQUIRE(user.ok());
  CHECK(user.step() != inside);
}

TEST_CASE("a WATCH that names a folder twice is refused, and the one before goes on") {
  server session = authenticated_server();
  expect_request<request::watch>(session, "WATCH inbox 1\n");
  REQUIRE(session.ok());
  session.receive("WATCH inbox 1 sent 1 inbox 2\n");
  CHECK(std::holds_alternative<need_input>(session.next_event().value()));
  session.event({"inbox", "3"});
  CHECK(drain(session) == "OK\nFAIL syntax a folder is named twice\nEVENT inbox 3\n");
}

TEST_CASE("events do not pile up for a client who takes nothing") {
  limits bounds;
  bounds.pending_output = 100;
  server session = authenticated_server(bounds);
  expect_request<request::watch>(session, "WATCH inbox 1 sent 1\n");
  REQUIRE(session.ok());
  for (int i = 0; i < 1000; ++i) {
    session.event({"inbox", std::to_string(i)});
    session.event({"sent", std::to_string(i)});
  }
  CHECK(session.pending_output().size() < 200);
  session.sent(session.pending_output().size());
  CHECK(session.pending_output() == "EVENT inbox 999\nEVENT sent 999\n");
}

TEST_CASE("a body has a minimum rate, and what is dropped of one, too") {
  limits bounds;
  bounds.body_grace = std::chrono::seconds(1);
  bounds.body_rate = 10;
  server session = authenticated_server(bounds);
  expect_request<request::append>(session, "APPEND inbox - - 8\nima: 1\n\n");
  REQUIRE(session.accept(25));
  session.sent(session.pending_output().size());
  session.receive("DATA 25\n");
  REQUIRE(std::holds_alternative<need_input>(session.next_event().value()));
  CHECK(session.timeout() == bounds.body_grace);
  const auto began = session.step();
  const auto give = [&](std::size_t count) {
    const std::string octets(count, 'x');
    session.receive(octets);
    while (!std::holds_alternative<need_input>(session.next_event().value())) {
    }
  };
  give(9);
  CHECK(session.step() == began);
  give(1);
  CHECK(session.step() == began + 1);
  REQUIRE(session.fail(reason::storage, ""));
  session.sent(session.pending_output().size());
  CHECK(session.timeout() == bounds.body_grace);
  give(9);
  const auto dropped = session.step();
  give(1);
  CHECK(session.step() == dropped + 1);
}

TEST_CASE("a client is not made to keep more folders than its limit") {
  limits bounds;
  bounds.folders = 2;
  client session({"b.example", bounds});
  REQUIRE(session.folders());
  session.receive("IMRP 1 b.example\nFOLDER - a\nFOLDER - b\nFOLDER - c\nOK\n");
  for (int i = 0; i < 3; ++i) REQUIRE(session.next_event());
  CHECK(session.next_event().error().rule == "reply-limit");
}

TEST_CASE("a server that shuts down closes an idle connection at once") {
  server session = authenticated_server();
  session.shut_down();
  const auto event = session.next_event().value();
  REQUIRE(std::holds_alternative<closed>(event));
  CHECK_FALSE(std::get<closed>(event).why);
  CHECK(std::holds_alternative<closed>(session.next_event().value()));
}

TEST_CASE("a server that shuts down waits for no request that has not come whole") {
  const std::string deferred = "DEFER shutdown the server is stopping\n";
  const std::vector<std::pair<std::string, std::string>> begun{
      {"STATUS inb", ""},
      {"PASSWORD 9 9\nsword", deferred},
      {"APPEND inbox - - 30\nima: 1\n", deferred},
      {"AUTH bob PASSWORD 9\nsword", "FAIL state already authenticated\n"}};
  for (const auto& each : begun) {
    const std::string& said = each.first;
    const std::string& answer = each.second;
    CAPTURE(said);
    server session = authenticated_server();
    session.receive(said);
    CHECK(std::holds_alternative<need_input>(session.next_event().value()));
    session.shut_down();
    CHECK(std::holds_alternative<closed>(session.next_event().value()));
    CHECK(drain(session) == answer);
  }
  server stranger({"b.example", {}});
  drain(stranger);
  stranger.receive("AUTH bob PASSWORD 9\nsword");
  stranger.shut_down();
  CHECK(std::holds_alternative<closed>(stranger.next_event().value()));
  CHECK(drain(stranger) == deferred);
}

TEST_CASE("a server that shuts down takes the rest of a body that it accepted") {
  server session = authenticated_server();
  expect_request<request::append>(session, "APPEND inbox - - 8\nima: 1\n\n");
  REQUIRE(session.accept(5));
  session.shut_down();
  CHECK(std::holds_alternative<need_input>(session.next_event().value()));
  session.receive("DATA 5\nhel");
  CHECK(std::get<body_octets>(session.next_event().value()).bytes == "hel");
  CHECK(std::holds_alternative<need_input>(session.next_event().value()));
  session.receive("loSTATUS inbox\n");
  CHECK(std::get<body_octets>(session.next_event().value()).bytes == "lo");
  CHECK_FALSE(std::get<body_end>(session.next_event().value()).cancelled);
  REQUIRE(session.ok_id("d7f3"));
  CHECK(std::holds_alternative<closed>(session.next_event().value()));
  CHECK(drain(session) == "ACCEPT\nOK d7f3\nDEFER shutdown the server is stopping\n");
}

TEST_CASE("a client checks what it is given before it sends anything") {
  client session({"b.example", {}});
  CHECK(session.authenticate("b ob").error().kind == fault::caller);
  CHECK(session.authenticate("bob", std::string(1025, 'x')).error().rule == "request-length");
  CHECK(session.status("a//b").error().rule == "folder");
  CHECK(session.changes("inbox", "a b", 1).error().rule == "token");
  CHECK(session.changes("inbox", "0", 0).error().rule == "page");
  CHECK(session.headers("inbox", {}).error().rule == "id");
  CHECK(session.headers("inbox", std::vector<std::string>{"a\nDONE"}).error().rule == "id");
  CHECK(session.fetch("inbox", "a", 0).error().rule == "part");
  CHECK(session.flag("inbox", std::vector<std::string>{"a"}, {}).error().rule == "flag");
  CHECK(
      session.watch(std::vector<watched_folder>{{"a", "1"}, {"b", "1"}, {"a", "2"}}).error().rule ==
      "folder");
  CHECK(session.flag("inbox", std::vector<std::string>{"a"}, {{"S"}, {}, {}}).error().rule ==
        "flag");
  CHECK(session.headers("inbox", std::vector<std::string>(2000, std::string(100, 'a')))
            .error()
            .rule == "request-length");
  CHECK(session.pending_output().empty());
  CHECK(session.done());
  CHECK(session.folders().error().rule == "out-of-turn");
}

TEST_CASE("a client keeps only so many requests without an answer") {
  limits bounds;
  bounds.outstanding = 2;
  client session({"b.example", bounds});
  CHECK(session.folders());
  CHECK(session.folders());
  CHECK(session.folders().error().rule == "out-of-turn");
  CHECK(session.outstanding() == 2);
}

TEST_CASE("a client that fails says the same for ever") {
  client session({"b.example", {}});
  session.receive("HELO\n");
  const error first = session.next_event().error();
  session.receive("IMRP 1 b.example\n");
  CHECK(session.next_event().error() == first);
  CHECK_FALSE(session.timeout());
}

TEST_CASE("a part's octets are handed on where they lie") {
  client session({"b.example", {}});
  REQUIRE(session.fetch("inbox", "a", 1));
  const std::string input = "IMRP 1 b.example\nPART a 1 0 5\nhelloOK\n";
  session.receive(input);
  REQUIRE(std::holds_alternative<reply::greeting>(session.next_event().value()));
  REQUIRE(std::holds_alternative<reply::part_begin>(session.next_event().value()));
  const auto piece = std::get<reply::part_octets>(session.next_event().value());
  CHECK(piece.bytes == "hello");
  CHECK(piece.bytes.data() == input.data() + input.find("hello"));
}

TEST_CASE("what comes after the end is dropped, and what came before not looked at again") {
  const auto octets = [] {
    return std::make_unique<std::string>("HELO\x01\n" + std::string(100, 'x'));
  };
  client session({"b.example", {}});
  auto fed = octets();
  session.receive(*fed);
  CHECK_FALSE(session.next_event());
  fed.reset();
  session.receive("IMRP 1 b.example\n");
  CHECK_FALSE(session.next_event());

  server office({"b.example", {}});
  fed = octets();
  office.receive(*fed);
  CHECK(std::holds_alternative<closed>(office.next_event().value()));
  fed.reset();
  office.receive("DONE\n");
  CHECK(std::holds_alternative<closed>(office.next_event().value()));
}

TEST_CASE("a client says DONE behind a whole message and not inside one") {
  client session({"b.example", {}});
  const std::string block =
      "ima: 1\nfrom: a@a.example\npart: 2 text/plain sha256=" + digest::of("hi").hex() + "\n\n";
  REQUIRE(session.append({"inbox", {}, {}}, header_block::parse(block).value()));
  CHECK(session.done().error().rule == "out-of-turn");
  REQUIRE(session.body("h"));
  CHECK(session.done().error().rule == "out-of-turn");
  REQUIRE(session.body("i"));
  CHECK(session.done());
  CHECK(session.pending_output().ends_with("DATA 2\nhiDONE\n"));
}
