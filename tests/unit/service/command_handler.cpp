#include <ima/header.hpp>
#include <ima/service/command_handler.hpp>
#include <ima/service/handler_switch.hpp>
#include <ima/service/policy_handler.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace ima;
using delivery::reason;
using kind = delivery::header_answer::kind;

namespace {

header_block offered() {
  return header_block::parse("ima: 1\nfrom: a@a.example\nto: b@b.example\n\n").value();
}

std::shared_ptr<service::command_handler> judging(const std::string& script) {
  service::command_handler_options options;
  options.command = {"/bin/true"};
  options.check_command = {"/bin/sh", "-c", script};
  return std::make_shared<service::command_handler>(options);
}

// What a check command with this script has us answer: "REJECT policy".
std::string answer_of(const std::string& script) {
  const header_block header = offered();
  const auto handler = judging("cat >/dev/null; " + script);
  delivery::peer_info peer;
  peer.host = "b.example";
  const auto answer = handler->open(header, peer)->judge();
  switch (answer.what) {
    case kind::accept:
      return "ACCEPT";
    case kind::verdict:
      return "OK";
    case kind::drop:
      return "drop";
    case kind::reject:
      return "REJECT " + std::string(to_string(answer.why));
    case kind::defer:
      return "DEFER " + std::string(to_string(answer.why));
  }
  return "";
}

}  // namespace

TEST_CASE("a check command's exit code is the answer, and its word the reason") {
  CHECK(answer_of("exit 0") == "ACCEPT");
  CHECK(answer_of("echo OK b@b.example; exit 0") == "OK");
  CHECK(answer_of("exit 1") == "REJECT policy");
  CHECK(answer_of("echo REJECT size; exit 1") == "REJECT size");
  CHECK(answer_of("exit 3") == "drop");
  CHECK(answer_of("exit 75") == "DEFER policy");
  CHECK(answer_of("echo DEFER storage; exit 75") == "DEFER storage");
  CHECK(answer_of("exit 2") == "DEFER internal");
  CHECK(answer_of("kill -9 $$") == "DEFER internal");
}

TEST_CASE("a check command cannot say a reason that is none of its answer's") {
  CHECK(answer_of("echo DEFER lapsed; exit 75") == "DEFER policy");
  CHECK(answer_of("echo REJECT lapsed; exit 1") == "REJECT policy");
  CHECK(answer_of("echo REJECT busy; exit 1") == "REJECT policy");
  CHECK(answer_of("echo DEFER identity; exit 75") == "DEFER policy");
  CHECK(answer_of("echo REJECT because; exit 1") == "REJECT policy");
}

TEST_CASE("what a check command says beside its answer hides nothing") {
  CHECK(answer_of("for i in 1 2 3 4 5; do echo looking; done; echo NORECIPIENT b@b.example") ==
        "REJECT recipients");
  CHECK(answer_of("yes looking | head -5000; echo REJECT size; exit 1") == "REJECT size");
  CHECK(answer_of("echo OK x@b.example; echo NORECIPIENT y@b.example") == "ACCEPT");
  CHECK(answer_of("echo OK b@b.example; echo NORECIPIENT b@b.example") == "OK");
}

TEST_CASE("an unknown recipient is a refusal whatever the exit code") {
  CHECK(answer_of("echo NORECIPIENT b@b.example; exit 0") == "REJECT recipients");
  CHECK(answer_of("echo NORECIPIENT b@b.example; exit 75") == "REJECT recipients");
}

TEST_CASE("a message in hand is in hand also after the handler was exchanged") {
  service::handler_switch handler(judging("exit 0"));
  const header_block header = offered();
  delivery::peer_info peer;
  peer.host = "b.example";
  auto first = handler.open(header, peer);
  CHECK(first->judge().what == kind::accept);
  handler.use(judging("exit 0"));
  const auto again = handler.open(header, peer)->judge();
  CHECK(again.what == kind::defer);
  CHECK(again.why == reason::in_progress);
  first.reset();
  CHECK(handler.open(header, peer)->judge().what == kind::accept);
}

TEST_CASE("a policy that is asked about lists only keeps no other message waiting") {
  struct : delivery::handler {
    std::unique_ptr<delivery::transaction> open(const header_block&,
                                                const delivery::peer_info&) override {
      struct quick : delivery::transaction {
        delivery::header_answer judge() override { return {}; }
        ima::result<void> body(const part_slice&) override { return {}; }
        delivery::final_answer finish(delivery::reply_sink&) override { return {}; }
      };
      return std::make_unique<quick>();
    }
  } inside;
  const std::shared_ptr<delivery::handler> shared(std::shared_ptr<void>(), &inside);
  const header_block list =
      header_block::parse("ima: 1\nfrom: a@a.example\nmailer: l@a.example\nto: b@b.example\n\n")
          .value();
  service::policy_handler some(shared, {{"/bin/true"}, true});
  CHECK(!some.open(offered(), {})->waits_for_programs());
  CHECK(some.open(list, {})->waits_for_programs());
  service::policy_handler all(shared, {{"/bin/true"}, false});
  CHECK(all.open(offered(), {})->waits_for_programs());
}

TEST_CASE("a handler that can be exchanged says where its calls may wait for a program") {
  service::handler_switch handler(judging("exit 0"));
  const header_block header = offered();
  CHECK(handler.open(header, {})->waits_for_programs());
}

TEST_CASE("who had his OK at the header stage is told no second time that he has the message") {
  service::command_handler_options options;
  options.check_command = {"/bin/sh", "-c", "echo OK b@b.example"};
  options.command = {"/bin/sh", "-c",
                     "echo OK b@b.example; echo OK c@b.example; echo FAIL b@b.example"};
  service::command_handler handler(options);
  delivery::peer_info peer;
  peer.host = "b.example";
  const auto header =
      header_block::parse("ima: 1\nfrom: a@a.example\nto: b@b.example\nto: c@b.example\n\n")
          .value();
  const auto transaction = handler.open(header, peer);
  CHECK(transaction->judge().already.size() == 1);
  struct : delivery::reply_sink {
    void result(const delivery::recipient_result& r) override {
      said += std::string(to_string(r.what)) + " " + std::string(r.recipient.text()) + "\n";
    }
    void note(std::string_view text) override { said += std::string(text) + "\n"; }
    std::string said;
  } sink;
  CHECK(transaction->finish(sink).what == delivery::verdict::ok);
  CHECK(sink.said == "OK c@b.example\nFAIL b@b.example\n");
}
