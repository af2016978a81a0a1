#include <ima/header.hpp>
#include <ima/service/command_handler.hpp>
#include <ima/service/handler_switch.hpp>

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
