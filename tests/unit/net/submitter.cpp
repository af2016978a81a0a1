#include "receiver.hpp"

#include <ima/net/submission.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace ima;
using namespace net_test;
using kind = retrieval::recipient_outcome::kind;
using retrieval::send_verdict;

namespace {

class hello : public body_source {
 public:
  static constexpr std::string_view text = "hello";
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    text.copy(buffer, size, static_cast<std::size_t>(offset));
    return {};
  }
};

// Bob's host is there, carol's is away.
struct office {
  receiver b{"b.example"};
  std::filesystem::path place = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "ima-queue-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }();
  service::queue queue =
      service::queue::open(mailbox::posix_file_system(), (place / "queue").string()).value();
  std::map<std::string, retrieval::recipient_outcome> told;

  office() = default;
  office(const office&) = delete;
  office& operator=(const office&) = delete;
  ~office() { std::filesystem::remove_all(place); }

  net::submitter_options options(bool queued) {
    net::submitter_options o;
    o.sender.hosts = {{"b.example", b.address()}, {"c.example", "127.0.0.1:1"}};
    if (queued) o.queue = &queue;
    return o;
  }

  send_verdict send(net::submitter& by, const std::vector<std::string>& to) {
    header_builder builder;
    builder.field("from", "alice@a.example");
    for (const std::string& one : to) builder.field("to", one);
    part_description part;
    part.size = hello::text.size();
    part.sha256 = digest::of(hello::text);
    hello body;
    told.clear();
    return by
        .send(
            builder.part(part).build().value(), body,
            [&](const auto& o) { told.emplace(o.recipient.text(), o); },
            [](std::string_view, std::string_view) {})
        .value();
  }
};

}  // namespace

TEST_CASE(
    "without a queue a message goes to all or to nobody, and nothing can "
    "wait") {
  office o;
  net::submitter by(imdp("a.example"), o.options(false));
  CHECK(o.send(by, {"bob@b.example"}) == send_verdict::delivered);
  CHECK(o.send(by, {"bob@b.example", "carol@c.example"}) == send_verdict::deferred);
  CHECK(o.told.at("bob@b.example").what == kind::defer);
  CHECK(by.queued({}).error().rule == "unsupported");
}

TEST_CASE("with a queue who cannot get a message now is told to be queued, and is") {
  office o;
  net::submitter by(imdp("a.example"), o.options(true));
  CHECK(o.send(by, {"bob@b.example", "carol@c.example"}) == send_verdict::queued);
  CHECK(o.told.at("bob@b.example").what == kind::ok);
  CHECK(o.told.at("carol@c.example").what == kind::queued);
  const auto waiting = by.queued({address::parse("alice@a.example").value()}).value();
  REQUIRE(waiting.size() == 1);
  CHECK(waiting[0].recipient.text() == "carol@c.example");
  // The same again, from a post office that has forgotten it.
  CHECK(o.send(by, {"bob@b.example", "carol@c.example"}) == send_verdict::queued);
  CHECK(o.queue.ids()->size() == 1);
}

TEST_CASE(
    "a failure for good at one host does not make what waits for another "
    "a failure") {
  office o;
  o.b.handler.verdict = delivery::verdict::fail;
  net::submitter by(imdp("a.example"), o.options(true));
  CHECK(o.send(by, {"bob@b.example"}) == send_verdict::refused);
  CHECK(o.send(by, {"bob@b.example", "carol@c.example"}) == send_verdict::mixed);
  CHECK(o.told.at("bob@b.example").what == kind::fail);
  CHECK(o.told.at("carol@c.example").what == kind::queued);
}

TEST_CASE(
    "a message that cannot be queued is sent nowhere, and what is told "
    "names no path") {
  office o;
  std::filesystem::remove_all(o.place / "queue/tmp");
  net::submitter by(imdp("a.example"), o.options(true));
  CHECK(o.send(by, {"bob@b.example", "carol@c.example"}) == send_verdict::deferred);
  for (const auto& [recipient, outcome] : o.told) {
    CHECK(outcome.what == kind::defer);
    CHECK(outcome.text.find(o.place.filename().string()) == std::string::npos);
  }
  CHECK(o.told.size() == 2);
  CHECK(o.b.handler.finished == 0);
}
