#include "memory_mail.hpp"

#include <ima/retrieval/responder.hpp>

#include <doctest/doctest.h>

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
      : session({"b.example", bounds}), worker(session, users, std::move(facts)) {
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
      auto* request = std::get_if<any_request>(&event);
      if (request == nullptr) return out + take();
      REQUIRE(worker.begin(std::move(*request)));
      while (worker.busy()) {
        if (auto failed = worker.work()) log.push_back(*failed);
        out += take();
      }
    }
  }
};

constexpr std::string_view login = "AUTH bob PASSWORD 9\nswordfish";

}  // namespace

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
