#include "service/queued_mail.hpp"

#include "../mailbox/forgetful_file_system.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace ima;
using namespace ima::service;
using delivery::outcome;
using mailbox_test::forgetful_file_system;

namespace {

class no_body : public body_source {
 public:
  result<void> read_at(std::uint64_t, char*, std::size_t) override { return {}; }
};

struct senders_queue {
  forgetful_file_system disk;
  queue waiting = queue::open(disk, "/queue").value();

  // Queues a message without a body; returns its claims.
  queue::added add(const std::string& from, const std::string& mailer,
                   const std::vector<std::string>& to) {
    header_builder builder;
    builder.field("from", from);
    if (!mailer.empty()) builder.field("mailer", mailer);
    for (const std::string& one : to) builder.field("to", one);
    no_body body;
    return waiting.add(builder.build().value(), body).value();
  }

  std::vector<std::string> listed(const std::string& sender, std::size_t limit = 100) {
    std::vector<std::string> out;
    const auto found = queued_mail(waiting, {address::parse(sender).value()}, limit).value();
    for (const auto& m : found) out.emplace_back(m.recipient.text());
    return out;
  }
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a user sees what waits of his own, the oldest first, and nobody else's") {
  senders_queue q;
  q.add("Alice <Alice@a.example>", "", {"dan@d.example"});
  q.disk.clock += std::chrono::hours(1);
  q.add("eve@a.example", "", {"bob@b.example"});
  q.add("alice@a.example", "", {"bob@b.example"});
  CHECK(q.listed("alice@a.example") == texts{"dan@d.example", "bob@b.example"});
  CHECK(q.listed("alice@a.example", 1) == texts{"dan@d.example"});
  CHECK(q.listed("carol@a.example").empty());
}

TEST_CASE("what is sent on behalf of somebody belongs to him who sends it") {
  senders_queue q;
  q.add("boss@a.example", "alice@a.example", {"bob@b.example"});
  CHECK(q.listed("alice@a.example") == texts{"bob@b.example"});
  CHECK(q.listed("boss@a.example").empty());
}

TEST_CASE("a recipient who has it or never will does not wait any more") {
  senders_queue q;
  auto added = q.add("alice@a.example", "", {"bob@b.example", "ben@b.example", "eve@b.example"});
  const auto who = added.claims.at(0).state().results;
  const auto later = q.disk.clock + std::chrono::minutes(5);
  REQUIRE(added.claims.at(0).record(
      {{who.at(0).recipient, outcome::ok, ""}, {who.at(1).recipient, outcome::fail, "no"}},
      "the host is away", later));
  const auto left =
      queued_mail(q.waiting, {address::parse("alice@a.example").value()}, 100).value();
  REQUIRE(left.size() == 1);
  CHECK(left.at(0).recipient == who.at(2).recipient);
  CHECK(left.at(0).text == "the host is away");
  CHECK(left.at(0).since.at == q.disk.clock);
  REQUIRE(left.at(0).next);
  CHECK(left.at(0).next->at == later);
  CHECK(left.at(0).id == q.waiting.header(added.id).value().id_digest().hex());
}

TEST_CASE("what was never tried is planned for when it came") {
  senders_queue q;
  const auto queued = q.disk.clock;
  q.add("alice@a.example", "", {"bob@b.example"});
  q.disk.clock += std::chrono::minutes(5);
  const auto waits =
      queued_mail(q.waiting, {address::parse("alice@a.example").value()}, 100).value();
  REQUIRE(waits.size() == 1);
  REQUIRE(waits.at(0).next);
  CHECK(waits.at(0).next->at == queued);
}

TEST_CASE("for a message that an operator holds no attempt is planned") {
  senders_queue q;
  const auto added = q.add("alice@a.example", "", {"bob@b.example"});
  REQUIRE(q.waiting.hold(added.id));
  const auto held =
      queued_mail(q.waiting, {address::parse("alice@a.example").value()}, 100).value();
  REQUIRE(held.size() == 1);
  CHECK_FALSE(held.at(0).next);
}
