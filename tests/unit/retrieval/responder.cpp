#include "memory_mail.hpp"

#include <ima/retrieval/responder.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace ima;
using namespace ima::retrieval;

namespace {

struct post_office {
  memory_mail::store store;
  memory_mail::users users{store};
  server session;
  responder worker;
  std::vector<error> log;

  explicit post_office(std::optional<certificate_facts> facts = {}, limits bounds = {})
      : session({"b.example", bounds, {}}),
        worker(session, users, std::move(facts),
               {{}, [this](const watched_folder& now) { session.event(now); }}) {
    take();
  }

  std::string take() {
    std::string out(session.pending_output());
    session.sent(out.size());
    return out;
  }

  std::string say(std::string_view input) {
    session.receive(input);
    std::string out;
    for (;;) {
      auto event = session.next_event().value();
      if (auto* request = std::get_if<any_request>(&event))
        REQUIRE(worker.begin(std::move(*request)));
      else if (const auto* piece = std::get_if<body_octets>(&event))
        give(*piece);
      else if (const auto* end = std::get_if<body_end>(&event))
        give(*end);
      else
        return out + take();
      while (worker.can_work()) {
        if (auto failed = worker.work()) log.push_back(*failed);
        out += take();
      }
    }
  }

  template <class Piece>
  void give(const Piece& piece) {
    if (worker.busy()) REQUIRE(worker.take(piece));
  }
};

// A message whose parts are these texts.
std::string block_of(const std::vector<std::string>& parts,
                     std::string_view from = "bob@b.example") {
  header_builder builder;
  builder.field("from", from).field("to", "alice@a.example");
  for (const std::string& part : parts)
    builder.part({part.size(), digest::of(part), "text/plain", "", "", "", ""});
  return std::string(builder.build().value().text());
}

std::string counted(std::string_view before, std::string_view block, std::string_view after = "") {
  return std::string(before) + std::to_string(block.size()) + std::string(after) + "\n" +
         std::string(block);
}

constexpr std::string_view login = "AUTH bob PASSWORD 9\nswordfish";

}  // namespace

TEST_CASE("a user who was removed is refused at his next request, and let go") {
  post_office office;
  REQUIRE(office.say(login) == "OK\n");
  REQUIRE(office.say("FOLDERS\n").ends_with("OK\n"));
  office.store.removed = true;
  CHECK(office.say("STATUS inbox\nFOLDERS\n") ==
        "FAIL auth the user was removed, or his proof counts no more\n");
  CHECK(std::holds_alternative<closed>(office.session.next_event().value()));
  REQUIRE(office.log.size() == 1);
  CHECK(office.log[0].rule == "dismissed");
}

TEST_CASE("a wrong password is refused and the connection lives on") {
  post_office office;
  CHECK(office.say("AUTH bob PASSWORD 3\nabc") == "FAIL auth wrong user name or proof\n");
  CHECK(office.say(login) == "OK\n");
  CHECK(office.worker.user() == "bob");
}

TEST_CASE("a certificate proves a user only where one was shown") {
  post_office none;
  CHECK(none.say("AUTH bob CERTIFICATE\n") == "FAIL auth no client certificate was shown\n");
  post_office some(certificate_facts{{}, {"bob"}});
  CHECK(some.say("AUTH eve CERTIFICATE\nAUTH bob CERTIFICATE\n") ==
        "FAIL auth wrong user name or proof\nOK\n");
}

TEST_CASE("requests are answered from the back end") {
  post_office office;
  office.store.inbox["d7f3"] = {"ima: 1\n\n", {"hello", ""}, {"seen"}, 1};
  office.store.seq = 1;
  office.say(login);
  CHECK(office.say("FOLDERS\n") == "FOLDER inbox inbox\nOK\n");
  CHECK(office.say("STATUS inbox\n") == "OK messages=1 unseen=0 size=0 token=1\n");
  CHECK(office.say("STATUS x\n") == "FAIL no-folder no such folder\n");
  CHECK(office.say("CHANGES inbox 0 5\n") == "+ d7f3 1 8 seen 1970-01-01T00:00:00Z\nOK 1\n");
  CHECK(office.say("HEADERS inbox d7f3 d7f4\n") ==
        "HEADER d7f3 8 33\nima: 1\n\nima-record: 1\ndomain: a.example\n\nGONE d7f4\nOK\n");
  CHECK(office.say("FETCH inbox d7f3 1\n") == "PART d7f3 1 0 5\nhelloOK\n");
  CHECK(office.say("FETCH inbox d7f3 1 1 3\n") == "PART d7f3 1 1 3\nellOK\n");
  CHECK(office.say("FETCH inbox d7f3 1 4 1000\n") == "PART d7f3 1 4 1\noOK\n");
  CHECK(office.say("FETCH inbox d7f3 1 5 1\n") == "PART d7f3 1 5 0\nOK\n");
  CHECK(office.say("FETCH inbox d7f3 1 6 1\n") == "FAIL range the part has 5 octets\n");
  CHECK(office.say("FETCH inbox d7f3 2\n") == "PART d7f3 2 0 0\nOK\n");
  CHECK(office.say("FETCH inbox d7f3 3\n") == "FAIL no-part no such part\n");
  CHECK(office.say("FLAG inbox d7f3 d7f4 +flagged\n") == "GONE d7f4\nOK\n");
  CHECK(office.say("FLAG inbox d7f3 -seen if-seq=1\n") == "CHANGED d7f3\nOK\n");
  CHECK(office.say("COPY inbox x d7f3 d7f4\n") == "COPIED d7f3 d7f3-1\nGONE d7f4\nOK\n");
  CHECK(office.say("MOVE inbox x d7f3\n") == "FAIL unsupported one folder is all there is\n");
  CHECK(office.say("DELETE inbox d7f3\nDELETE inbox d7f3\n") == "OK\nGONE d7f3\nOK\n");
  CHECK(office.log.size() == 4);
}

TEST_CASE("a large part comes in pieces and memory stays bounded") {
  limits bounds;
  bounds.pending_output = 100'000;
  post_office office({}, bounds);
  const std::string large(1'000'000, 'x');
  office.store.inbox["a"] = {"ima: 1\n\n", {large}, {}, 1};
  office.say(login);
  office.session.receive("FETCH inbox a 1\n");
  REQUIRE(office.worker.begin(std::get<any_request>(office.session.next_event().value())));
  std::string out;
  std::size_t most = 0;
  while (office.worker.busy()) {
    CHECK_FALSE(office.worker.work());
    most = std::max(most, office.session.pending_output().size());
    out += office.take();
  }
  CHECK(out == "PART a 1 0 1000000\n" + large + "OK\n");
  CHECK(most < 200'000);
}

TEST_CASE("a message is appended, whole and checked") {
  post_office office;
  office.say(login);
  const std::string block = block_of({"hello", "", " world"});
  CHECK(office.say(counted("APPEND inbox draft - ", block)) == "ACCEPT\n");
  CHECK(office.say("DATA 11\nhello wo") == "");
  CHECK(office.say("rld") == "OK a1\n");
  CHECK(office.store.inbox.at("a1").parts == std::vector<std::string>{"hello", "", " world"});
  CHECK(office.store.inbox.at("a1").header == block);
  const std::string nothing = block_of({});
  CHECK(office.say(counted("APPEND inbox - - ", nothing) + "DATA 0\n") == "ACCEPT\nOK a2\n");
}

TEST_CASE(
    "a message that is damaged, refused or taken back is not kept, and the connection lives") {
  post_office office;
  office.say(login);
  const std::string block = block_of({"hello"});
  const std::string offer = counted("APPEND inbox - - ", block);
  CHECK(office.say(offer + "DATA 5\nhellO").starts_with("ACCEPT\nFAIL damaged part 1"));
  CHECK(office.say(offer + "CANCEL\n") == "ACCEPT\nFAIL cancelled taken back by the client\n");
  CHECK(office.say(counted("APPEND x - - ", block) + "DATA 5\nhello") ==
        "FAIL no-folder no such folder\n");
  CHECK(office.say(counted("APPEND inbox - - ", "ima: 2\n\n")).starts_with("FAIL header "));
  office.store.fail_writing_at = 2;
  CHECK(office.say(offer + "DATA 5\nhel") ==
        "ACCEPT\nDEFER storage the message store fails at the moment\n");
  CHECK(office.say("loFOLDERS\n") == "FOLDER inbox inbox\nOK\n");
  CHECK(office.store.inbox.empty());
}

TEST_CASE("a message over the limit is refused by its header") {
  limits bounds;
  bounds.body = 4;
  post_office office({}, bounds);
  office.say(login);
  CHECK(office.say(counted("APPEND inbox - - ", block_of({"hello"}))).starts_with("FAIL limit "));
  CHECK(office.say(counted("APPEND inbox - - ", block_of({"hell"}))) == "ACCEPT\n");
}

TEST_CASE("a message is sent with parts that the user has already, and told what became of it") {
  post_office office;
  office.say(login);
  office.store.inbox["d7f3"] = {block_of({"x", "photo"}), {"x", "photo"}, {}, 1};
  office.store.outcomes = {
      {recipient_outcome::kind::ok, address::parse("alice@a.example").value(), ""}};
  const std::string block = block_of({"photo", "hello", "photo"});
  CHECK(office.say(counted("SEND ", block, " save=sent part-1=inbox/d7f3/2 part-3=inbox/d7f3/2")) ==
        "ACCEPT\n");
  CHECK(office.say("DATA 5\nhello") ==
        "RESULT OK alice@a.example\nNOTE a.example thank you\nOK delivered s1\n");
  CHECK(office.store.sent == std::vector<std::string>{"photohellophoto"});
}

TEST_CASE("a part that is another than it is said to be is refused before anything moves") {
  post_office office;
  office.say(login);
  office.store.inbox["d7f3"] = {block_of({"photo", "phot"}), {"photo", "phot"}, {}, 1};
  const std::string block = block_of({"Photo"});
  CHECK(office.say(counted("SEND ", block, " part-1=inbox/d7f3/1")).starts_with("FAIL no-part "));
  CHECK(office.say(counted("SEND ", block, " part-1=inbox/d7f3/2")).starts_with("FAIL no-part "));
  CHECK(office.say(counted("SEND ", block, " part-1=inbox/d7f3/3")).starts_with("FAIL no-part "));
  CHECK(office.say(counted("SEND ", block, " part-2=inbox/d7f3/1")).starts_with("FAIL no-part "));
  CHECK(office.say(counted("SEND ", block, " part-1=inbox/x/1")).starts_with("FAIL no-message "));
  CHECK(office.say(counted("SEND ", block_of({}, "eve@b.example"))) == "FAIL from not yours\n");
  CHECK(office.store.sent.empty());
}

TEST_CASE("a message that was sent before is answered at its header") {
  post_office office;
  office.say(login);
  office.store.known = submission::report{
      {{recipient_outcome::kind::fail, address::parse("alice@a.example").value(), "no"}},
      {send_verdict::mixed, ""}};
  CHECK(office.say(counted("SEND ", block_of({"hello"})) + "DATA 5\nhelloQUOTA\n") ==
        "RESULT FAIL alice@a.example no\nOK mixed -\nOK size=0/- messages=0/100\n");
  CHECK(office.store.sent.empty());
}

TEST_CASE("what is watched is told between replies, until the watch ends") {
  post_office office;
  office.say(login);
  CHECK(office.say("WATCH inbox 1\n") == "OK\n");
  office.store.tell({"inbox", "2"});
  CHECK(office.take() == "EVENT inbox 2\n");
  CHECK(office.say("WATCH\n") == "OK\n");
  office.store.tell({"inbox", "3"});
  CHECK(office.take().empty());
}

TEST_CASE("a watch whose user may not go on ends, also where nobody asked to be told") {
  post_office office;
  office.say(login);
  CHECK(office.say("WATCH inbox 1\n") == "OK\n");
  CHECK_NOTHROW(office.store.remove_user());
  CHECK(office.say("FOLDERS\n").starts_with("FAIL auth "));
}

TEST_CASE("a back end that answers for messages that nobody named is not believed") {
  post_office office;
  office.say(login);
  office.store.too_many = 1;
  for (const char* request : {"FLAG inbox a +seen\n", "DELETE inbox a\n", "COPY inbox sent a\n"}) {
    CHECK(office.say(request) == "DEFER internal an internal fault; try again later\n");
    REQUIRE_FALSE(office.log.empty());
    CHECK(office.log.back().kind == fault::caller);
  }
}

TEST_CASE("the other commands reach the back end") {
  post_office office;
  office.say(login);
  CHECK(office.say("CREATE-FOLDER x\nCREATE-FOLDER x\n") ==
        "OK\nFAIL folder-exists there is such a folder\n");
  CHECK(office.say("DELETE-FOLDER x\n") == "FAIL unsupported this post office does not offer it\n");
  office.store.inbox["a"] = {"ima: 1\nfrom: bob\n\n", {}, {}, 1};
  office.store.inbox["b"] = {"ima: 1\nfrom: bob\n\n", {}, {}, 2};
  CHECK(office.say("SEARCH inbox - 1 text=bob\n") == "FOUND a\nOK a\n");
  CHECK(office.say("SEARCH inbox a 1 text=bob\n") == "FOUND b\nOK\n");
  CHECK(office.say("PASSWORD 3 8\nabccorrecth") == "FAIL auth wrong password\n");
  CHECK(office.say("PASSWORD 9 8\nswordfishcorrecth") == "OK\n");
  CHECK(office.store.password == "correcth");
  CHECK(office.say("QUEUE\n") == "QUEUED d7f3 carol@c.example 1970-01-01T00:00:00Z - busy\nOK\n");
}

TEST_CASE("a long page comes in slices, and is cut where it was asked to end") {
  limits bounds;
  bounds.pending_output = 10'000;
  post_office office({}, bounds);
  for (std::uint64_t i = 1; i <= 3000; ++i)
    office.store.inbox["m" + std::to_string(i)] = {"ima: 1\n\n", {}, {}, i};
  office.say(login);
  office.session.receive("CHANGES inbox 0 2200\n");
  REQUIRE(office.worker.begin(std::get<any_request>(office.session.next_event().value())));
  std::string out;
  std::size_t most = 0;
  while (office.worker.busy()) {
    CHECK_FALSE(office.worker.work());
    most = std::max(most, office.session.pending_output().size());
    out += office.take();
  }
  CHECK(std::count(out.begin(), out.end(), '\n') == 2201);
  CHECK(out.ends_with("\nOK 2200 more\n"));
  CHECK(most < 50'000);
}

TEST_CASE("a part that fails midway closes the connection, and the log knows why") {
  post_office office;
  office.store.inbox["a"] = {"ima: 1\n\n", {std::string(200'000, 'x')}, {}, 1};
  office.store.fail_reading_at = 100'000;
  office.say(login);
  const std::string out = office.say("FETCH inbox a 1\nFOLDERS\n");
  CHECK(out.starts_with("PART a 1 0 200000\nxxx"));
  CHECK(out.find("OK") == std::string::npos);
  REQUIRE(office.log.size() == 1);
  CHECK(office.log[0].rule == "file-read");
  CHECK(std::holds_alternative<closed>(office.session.next_event().value()));
}
