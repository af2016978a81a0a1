#include "../mailbox/fixture.hpp"
#include "../mailbox/forgetful_file_system.hpp"
#include "../mailbox/mortal_file_system.hpp"

#include <ima/service/failure_report.hpp>
#include <ima/service/queue.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace ima;
using namespace ima::service;
using namespace std::chrono_literals;
using delivery::outcome;
using mailbox_test::forgetful_file_system;
using mailbox_test::mortal_file_system;

namespace {

const std::string path = "/queue";

small_message letter(const std::vector<std::string>& to, const std::string& automatic = "") {
  header_builder builder;
  builder.field("id", "1@a.example").field("from", "alice@a.example");
  for (const std::string& one : to) builder.field("to", one);
  builder.field("bcc", "secret@c.example").field("subject", "Photos");
  if (!automatic.empty()) builder.field("auto", automatic);
  const std::string body = "hello";
  part_description part;
  part.size = body.size();
  part.sha256 = digest::of(body);
  return {builder.part(part).build().value(), body};
}

delivery::recipient_result result_for(const host_claim& claim, outcome what) {
  return {claim.state().results.at(0).recipient, what, "because"};
}

std::vector<std::string> names_in(forgetful_file_system& disk, const std::string& place) {
  std::vector<std::string> names;
  REQUIRE(disk.list(place, [&](const std::string& name) -> result<void> {
    names.push_back(name);
    return {};
  }));
  return names;
}

// The whole of a queued message.
std::string text_of(const queue& q, forgetful_file_system& disk, const std::string& id) {
  const auto file = disk.open(q.message_path(id)).value();
  std::string text(static_cast<std::size_t>(file->size().value()), '\0');
  static_cast<void>(file->read_at(0, text).value());
  return text;
}

}  // namespace

TEST_CASE("a message is queued with what each of its hosts has to be told") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example", "ben@b.example"});
  auto added = q.add(l.header(), l).value();
  CHECK(added.claims.size() == 2);
  disk.crash();
  const auto found = queue::open(disk, path).value().read(added.id).value();
  CHECK(found.originator == "alice@a.example");
  REQUIRE(found.hosts.size() == 2);
  CHECK(found.hosts.at(0).host == "b.example");
  CHECK(found.hosts.at(0).results.size() == 2);
  CHECK(found.hosts.at(0).open());
  CHECK(text_of(q, disk, added.id) == std::string(l.header().text()) + "hello");
  CHECK(q.header(added.id).value().text() == l.header().text());
}

TEST_CASE("the same message is queued once, the same for others is another") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  CHECK_FALSE(q.add(l.header(), l).value().already);
  CHECK(q.add(l.header(), l).value().already);
  auto other = letter({"eve@b.example"});
  CHECK_FALSE(q.add(other.header(), other).value().already);
  CHECK(q.ids().value().size() == 2);
}

TEST_CASE("what a try brought is kept, and a message goes when all its hosts are done") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  auto added = q.add(l.header(), l).value();
  host_claim& b = added.claims.at(0);
  host_claim& c = added.claims.at(1);
  REQUIRE(b.record({result_for(b, outcome::defer)}, "away", disk.now() + 60s));
  CHECK(b.state().open());
  CHECK(b.state().tries == 1);
  CHECK(b.state().problem == "away");
  CHECK(b.state().next == disk.now() + 60s);
  REQUIRE(b.record({result_for(b, outcome::ok)}, "", disk.now()));
  CHECK_FALSE(b.state().open());
  REQUIRE(q.settle(b));
  CHECK(q.ids().value().size() == 1);
  REQUIRE(c.record({result_for(c, outcome::ok)}, "", disk.now()));
  REQUIRE(q.settle(c));
  CHECK(q.ids().value().empty());
  CHECK(names_in(disk, path + "/tmp").empty());
}

TEST_CASE("when a host is tried again is kept, whether it gave a verdict or was away") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  auto added = q.add(l.header(), l).value();
  host_claim& b = added.claims.at(0);
  const auto next = disk.now() + 60s;
  for (const std::string problem : {"", "away", " "}) {
    REQUIRE(b.record({result_for(b, outcome::defer)}, problem, next));
    for (const queued_host& kept : {b.state(), q.read(added.id).value().hosts.at(0)}) {
      CHECK(kept.next == next);
      CHECK(kept.problem == problem);
    }
  }
}

TEST_CASE("a try that was written with a space at its end is read as it was meant") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  const auto id = q.add(l.header(), l).value().id;
  const std::string text = "try 2026-11-23T09:30:00Z 2026-11-23T09:31:00Z ";
  REQUIRE(disk.open_append(path + "/entries/" + id + "/b.example")
              .value()
              ->append(digest::of(text).hex().substr(0, 16) + " " + text + "\n"));
  const queued_host kept = q.read(id).value().hosts.at(0);
  CHECK(kept.tries == 1);
  CHECK(kept.next == timestamp::parse("2026-11-23T09:31:00Z").value().at);
  CHECK(kept.problem.empty());
}

TEST_CASE("what was never tried is due since it was queued") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  const auto queued = disk.now();
  const auto id = q.add(l.header(), l).value().id;
  disk.clock += 1h;
  CHECK(q.read(id).value().hosts.at(0).next == queued);
  disk.clock -= 2h;  // set back: it does not wait for the time at which it was queued
  CHECK(q.read(id).value().hosts.at(0).next == disk.now());
}

TEST_CASE("a failure is reported to the originator once, with its reason and the header block") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  auto added = q.add(l.header(), l).value();
  host_claim& c = added.claims.at(1);
  REQUIRE(added.claims.at(0).record({result_for(added.claims.at(0), outcome::ok)}, "", disk.now()));
  REQUIRE(c.record({result_for(c, outcome::no_recipient)}, "", disk.now()));
  REQUIRE(q.settle(c));
  const auto ids = q.ids().value();
  REQUIRE(ids.size() == 1);
  const auto report = q.read(ids.at(0)).value();
  CHECK(report.automatic);
  REQUIRE(report.hosts.size() == 1);
  CHECK(report.hosts.at(0).host == "a.example");
  CHECK(report.hosts.at(0).results.at(0).recipient.text() == "alice@a.example");
  const std::string text = text_of(q, disk, ids.at(0));
  CHECK(text.find("auto: report\n") != std::string::npos);
  CHECK(text.find("subject: Not delivered: Photos\n") != std::string::npos);
  CHECK(text.find("in-reply-to: 1@a.example\n") != std::string::npos);
  CHECK(text.find("secret@c.example\n    because\n") != std::string::npos);
  CHECK(text.ends_with(std::string(l.header().text())));
}

TEST_CASE("nobody is told that a report, or another automatic message, has failed") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"}, "report");
  auto added = q.add(l.header(), l).value();
  for (host_claim& claim : added.claims) {
    REQUIRE(claim.record({result_for(claim, outcome::fail)}, "", disk.now()));
    REQUIRE(q.settle(claim));
  }
  CHECK(q.ids().value().empty());
}

TEST_CASE("an operator holds, releases, hurries and drops a message") {
  forgetful_file_system disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  std::string id;
  {
    auto added = q.add(l.header(), l).value();
    id = added.id;
    REQUIRE(added.claims.at(0).record({}, "away", disk.now() + 1h));
  }
  const auto before = q.changes().value();
  REQUIRE(q.hold(id));
  CHECK(q.read(id).value().held);
  REQUIRE(q.release(id));
  CHECK_FALSE(q.read(id).value().held);
  REQUIRE(q.retry(id));
  CHECK(q.read(id).value().hosts.at(0).next == disk.now());
  CHECK(q.changes().value() == before + 3);
  REQUIRE(q.drop(id));
  CHECK(q.ids().value().empty());
  CHECK(q.hold(id).error().rule == "queue-id");
  CHECK(q.read("../../etc").error().rule == "queue-id");
}

TEST_CASE("who opens a host's file while the message is dropped has no claim on it") {
  struct slow_to_lock final : forgetful_file_system {
    queue* dropping = nullptr;
    std::string id;
    result<std::unique_ptr<mailbox::file>> open_append(const std::string& name) override {
      auto opened = forgetful_file_system::open_append(name);
      if (dropping != nullptr) REQUIRE(std::exchange(dropping, nullptr)->drop(id));
      return opened;
    }
  } disk;
  auto q = queue::open(disk, path).value();
  auto l = letter({"bob@b.example"});
  disk.id = q.add(l.header(), l).value().id;
  SUBCASE("to try it") {
    disk.dropping = &q;
    CHECK_FALSE(q.claim(disk.id, "b.example").value());
  }
  SUBCASE("to try it, and it is queued again") {
    disk.dropping = &q;
    const auto late = q.claim(disk.id, "b.example").value();
    const auto again = q.add(l.header(), l).value();
    CHECK_FALSE(late);
    CHECK_FALSE(again.already);
  }
  SUBCASE("to hold it") {
    disk.dropping = &q;
    CHECK(q.hold(disk.id).error().rule == "queue-id");
  }
}

TEST_CASE("a directory that is something else is not taken for a queue") {
  forgetful_file_system disk;
  REQUIRE(disk.make_directory(path));
  REQUIRE(disk.create(path + "/format").value()->append("ima-mailbox 1\n"));
  CHECK(queue::open(disk, path).error().rule == "queue-format");
}

TEST_CASE("a queue that is only looked for is not made") {
  forgetful_file_system disk;
  CHECK(queue::open_existing(disk, path).error().rule == "queue-format");
  CHECK_FALSE(disk.status(path).value());
  REQUIRE(queue::open(disk, path));
  CHECK(queue::open_existing(disk, path));
}

TEST_CASE("tries come at growing intervals, spread, and never further apart than the longest") {
  const retry_policy policy;
  const std::chrono::sys_seconds now{};
  CHECK(policy.next(0, now, 0.5) == now + 60s);
  CHECK(policy.next(1, now, 0.5) == now + 120s);
  CHECK(policy.next(3, now, 0.5) == now + 480s);
  CHECK(policy.next(3, now, 0) == now + 420s);
  CHECK(policy.next(3, now, 1) == now + 540s);
  CHECK(policy.next(1'000'000, now, 0.5) == now + 4h);
}

// Power is cut after every single change on disk of a message's whole life in the queue; what was
// not synced is forgotten. What was promised must hold, and what is left must be a state that
// docs/queue.md lists.

namespace {

enum step { nothing, queued, delivered, failed, settled };

step tell(mailbox::file_system& disk, small_message& l) {
  auto q = queue::open(disk, path);
  if (!q) return nothing;
  auto added = q->add(l.header(), l);
  if (!added) return nothing;
  host_claim& b = added->claims.at(0);
  host_claim& c = added->claims.at(1);
  if (!b.record({result_for(b, outcome::ok)}, "", disk.now())) return queued;
  if (!q->settle(b)) return delivered;
  if (!c.record({result_for(c, outcome::fail)}, "refused", disk.now())) return delivered;
  if (!q->settle(c)) return failed;
  return settled;
}

// What a runner would do after the crash: finish what is final.
void finish(queue& q) {
  const auto ids = q.ids().value();
  for (const std::string& id : ids) {
    const auto message = q.read(id).value();
    for (const queued_host& h : message.hosts) {
      auto claim = q.claim(id, h.host).value();
      if (claim && !claim->state().open()) REQUIRE(q.settle(*claim));
    }
  }
}

void check(queue& q, const std::string& id, step done) {
  int reports = 0;
  bool there = false;
  const auto ids = q.ids().value();
  for (const std::string& one : ids) {
    const auto message = q.read(one).value();
    reports += message.automatic ? 1 : 0;
    if (one != id) continue;
    there = true;
    REQUIRE(message.hosts.size() == 2);
    CHECK(message.originator == "alice@a.example");
    if (done >= delivered) CHECK_FALSE(message.hosts.at(0).open());
    CHECK(message.hosts.at(1).open());  // else it would be settled
  }
  CHECK(reports <= 1);
  if (done == queued || done == delivered) CHECK(there != (reports == 1));
  if (done >= failed) CHECK(reports == 1);
  if (done >= failed) CHECK_FALSE(there);
}

}  // namespace

TEST_CASE("power lost after any change on disk loses no message and no report, and doubles none") {
  auto l = letter({"bob@b.example"});
  const std::string id = digest::of(l.header().text()).hex();
  bool finished = false;
  for (std::uint64_t stop = 0; !finished; ++stop) {
    CAPTURE(stop);
    forgetful_file_system disk;
    mortal_file_system process(disk);
    process.die_at = stop;
    const step done = tell(process, l);
    finished = done == settled;
    disk.crash();
    auto q = queue::open(disk, path);
    REQUIRE(q);
    REQUIRE(q->sweep());
    finish(*q);
    check(*q, id, done);
    REQUIRE(q->sweep());
    const auto remains = names_in(disk, path + "/tmp");
    for (const std::string& left : remains) {
      CAPTURE(left);
      CHECK_FALSE(disk.status(path + "/tmp/" + left + "/_entry").value());  // a day tells
    }
  }
}

TEST_CASE("several that make the same queue at once make one queue") {
  const mailbox_test::temporary_directory dir;
  for (int round = 0; round < 20; ++round) {
    const std::string place = dir / std::to_string(round);
    std::vector<std::thread> makers;
    std::atomic<int> good = 0;
    for (int i = 0; i < 4; ++i)
      makers.emplace_back([&] {
        if (queue::open(mailbox::posix_file_system(), place)) ++good;
      });
    for (std::thread& each : makers) each.join();
    CHECK(good == 4);
    CHECK(queue::open_existing(mailbox::posix_file_system(), place));
    CHECK(std::filesystem::is_empty(place + "/tmp"));
  }
}
