#include "memory_mail.hpp"

#include <ima/retrieval/client.hpp>
#include <ima/retrieval/responder.hpp>

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace ima;
using namespace ima::retrieval;

namespace {

// Client and server in one process, joined by pipes that pass on random pieces.
struct pair {
  memory_mail::store store;
  memory_mail::users users{store};
  server office{{"b.example", {}}};
  responder worker{office, users, {}};
  client user{{"b.example", {}}};
  std::mt19937 random;

  explicit pair(unsigned seed) : random(seed) {}

  std::string piece_of(octets pending) {
    if (pending.empty()) return {};
    std::uniform_int_distribution<std::size_t> size(1, std::min<std::size_t>(pending.size(), 3000));
    return std::string(pending.substr(0, size(random)));
  }

  void run_office() {
    for (;;) {
      if (worker.busy()) worker.work();
      if (worker.busy()) return;
      auto event = office.next_event().value();
      auto* request = std::get_if<any_request>(&event);
      if (request == nullptr) return;
      REQUIRE(worker.begin(std::move(*request)));
    }
  }

  // Passes one piece each way; false when nothing moves any more.
  bool pass() {
    const std::string up = piece_of(user.pending_output());
    user.sent(up.size());
    if (!up.empty()) office.receive(up);
    run_office();
    const std::string down = piece_of(office.pending_output());
    office.sent(down.size());
    if (!down.empty()) user.receive(down);
    collect();
    return !up.empty() || !down.empty();
  }

  void collect() {
    for (;;) {
      auto event = user.next_event();
      REQUIRE(event);
      if (std::holds_alternative<reply::need_input>(*event)) return;
      if (const auto* piece = std::get_if<reply::part_octets>(&*event)) fetched += piece->bytes;
      if (const auto* header = std::get_if<reply::header>(&*event)) headers += header->block;
      if (std::holds_alternative<reply::done>(*event)) ++done;
    }
  }

  std::string fetched;
  std::string headers;
  std::size_t done = 0;
};

}  // namespace

TEST_CASE("a client and a server understand each other whatever the pieces") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    pair p(seed);
    std::string expected_headers;
    std::string expected_parts;
    std::vector<std::string> ids;
    for (int i = 0; i < 50; ++i) {
      const std::string id = "m" + std::to_string(i);
      const std::string header = "ima: 1\nid: " + id + "\n\n";
      const std::string part(static_cast<std::size_t>(i * 997), static_cast<char>('a' + i % 26));
      p.store.inbox[id] = {header, {part}, {}, static_cast<std::uint64_t>(i + 1)};
      ids.push_back(id);
      expected_headers += header;
      expected_parts += part;
    }
    REQUIRE(p.user.authenticate("bob", "swordfish"));
    REQUIRE(p.user.headers("inbox", ids));
    for (const std::string& id : ids) REQUIRE(p.user.fetch("inbox", id, 1));
    REQUIRE(p.user.remove("inbox", ids));
    while (p.pass()) {
    }
    CHECK(p.done == ids.size() + 3);
    CHECK(p.user.outstanding() == 0);
    CHECK((p.fetched == expected_parts));
    CHECK((p.headers == expected_headers));
    CHECK(p.store.inbox.empty());
  }
}
