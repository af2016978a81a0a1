#include "net/queue_lanes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace ima::net;
using namespace std::chrono_literals;
using std::chrono::sys_seconds;

namespace {

constexpr sys_seconds start{1'000'000s};

void put(lane_table& table, const std::string& host, int messages = 1, sys_seconds due = start) {
  for (int i = 0; i < messages; ++i)
    table.put(host, "a.example", {due, due, host + std::to_string(i)});
}

void put_crowd(lane_table& table, const std::string& name, int count, sys_seconds due = start) {
  for (int i = 0; i < count; ++i) put(table, name + std::to_string(i), 1, due);
}

// Makes a host one that answered, with nothing waiting for it.
void let_answer(lane_table& table, const std::string& host) {
  put(table, host);
  for (connection_slot& s : table.take_slots(start)) {
    table.answered(s);
    s.to->queue.clear();
    table.give_back(s);
  }
}

}  // namespace

TEST_CASE("a host gets one connection until it answers, and then more where much waits") {
  lane_table table(100, 4);
  put(table, "b.example", 20);
  auto slots = table.take_slots(start);
  REQUIRE(slots.size() == 1);
  CHECK(slots.at(0).as == standing::fresh);
  CHECK(table.take_slots(start).empty());
  table.answered(slots.at(0));
  CHECK(table.take_slots(start).size() == 2);  // one for each eight, and one
  put(table, "b.example", 1000);
  CHECK(table.take_slots(start).size() == 1);  // to the most of a host
}

TEST_CASE("a host's connections are counted together, whichever of our domains send") {
  lane_table table(100, 2);
  const auto put_for = [&](const std::string& sender, sys_seconds due) {
    for (int i = 0; i < 20; ++i)
      table.put("b.example", sender, {due, due, sender + std::to_string(i)});
  };
  for (int i = 1; i <= 4; ++i) put_for("a" + std::to_string(i) + ".example", start - i * 1s);
  std::vector<connection_slot> open;
  const auto take = [&] {
    auto slots = table.take_slots(start);
    open.insert(open.end(), slots.begin(), slots.end());
    return slots.size();
  };
  CHECK(take() == 1);
  CHECK(take() == 1);
  CHECK(take() == 0);
  CHECK(open.at(0).to->sender == "a4.example");  // it is due the longest
  CHECK(open.at(1).to->sender == "a3.example");
  for (connection_slot& s : open) table.answered(s);
  CHECK(take() == 0);  // though much waits and it answers
  CHECK(table.keeps_another_waiting(*open.at(0).to, start));
  table.give_back(open.at(0));
  CHECK_FALSE(table.keeps_another_waiting(*open.at(1).to, start));
  CHECK(take() == 1);
  put(table, "b.example.org");
  CHECK(take() == 1);  // another host
}

TEST_CASE("what is not due, or waits with its host, gets no connection") {
  lane_table table(100, 4);
  put(table, "b.example", 1, start + 1s);
  CHECK(table.take_slots(start).empty());
  auto slots = table.take_slots(start + 1s);
  REQUIRE(slots.size() == 1);
  table.failed(*slots.at(0).to, start + 60s);
  table.give_back(slots.at(0));
  CHECK(table.take_slots(start + 59s).empty());
  CHECK(table.take_slots(start + 60s).at(0).as == standing::slow);
}

TEST_CASE("what waits is read anew without making a host due that is away, until it is hurried") {
  lane_table table(100, 4);
  put(table, "b.example");
  auto slots = table.take_slots(start);
  table.failed(*slots.at(0).to, start + 60s);
  table.give_back(slots.at(0));
  table.clear();
  CHECK(table.take_slots(start).empty());
  put(table, "b.example");
  put(table, "c.example");
  CHECK(table.take_slots(start).at(0).to->host == "c.example");
  CHECK(table.take_slots(start).empty());
  table.hurry("b.example", "a.example");
  CHECK(table.take_slots(start).at(0).to->host == "b.example");
}

TEST_CASE("a host that answered is known to when mail for it comes again") {
  lane_table table(100, 4);
  let_answer(table, "b.example");
  CHECK(table.take_slots(start).empty());
  put(table, "b.example");
  CHECK(table.take_slots(start).at(0).as == standing::answers);
}

TEST_CASE(
    "hosts that answer, hosts nobody knows and hosts that do not answer leave each other room") {
  lane_table table(16, 1);
  for (int i = 0; i < 40; ++i) let_answer(table, "live" + std::to_string(i));
  put_crowd(table, "live", 40);
  CHECK(table.take_slots(start).size() == 14);  // an eighth stays free
  put_crowd(table, "new", 40);
  auto unknown = table.take_slots(start);
  CHECK(unknown.size() == 2);
  for (connection_slot& s : unknown) {
    table.took_too_long(*s.to);
    table.give_back(s);
  }
  for (const connection_slot& s : table.take_slots(start)) CHECK(s.as == standing::fresh);
}

TEST_CASE("a crowd of new hosts is looked at bit by bit, faster where they answer") {
  lane_table table(16, 4);
  put_crowd(table, "new", 40);
  auto slots = table.take_slots(start);
  CHECK(slots.size() == 4);
  CHECK(table.take_slots(start).empty());
  table.answered(slots.at(0));
  table.failed(*slots.at(1).to, start + 1h);
  table.give_back(slots.at(1));
  CHECK(table.take_slots(start).size() == 2);
  CHECK(table.take_slots(start + 1s).size() == 4);
}

TEST_CASE("hosts that do not answer hold at most half of the connections") {
  lane_table table(16, 1);
  put_crowd(table, "dead", 40);
  std::size_t patient = 0;
  for (int round = 0; round < 20; ++round)
    for (connection_slot& s : table.take_slots(start)) {
      if (s.as == standing::slow) ++patient;
      if (s.as == standing::slow) continue;  // these stay
      table.took_too_long(*s.to);
      table.give_back(s);
    }
  CHECK(patient == 8);
}

TEST_CASE("the only connection serves whoever is there") {
  for (const auto known : {standing::answers, standing::fresh, standing::slow}) {
    lane_table table(1, 4);
    put(table, "b.example");
    auto first = table.take_slots(start);
    REQUIRE(first.size() == 1);
    if (known == standing::answers) table.answered(first.at(0));
    if (known == standing::slow) table.took_too_long(*first.at(0).to);
    table.give_back(first.at(0));
    const auto again = table.take_slots(start);
    REQUIRE(again.size() == 1);
    CHECK(again.at(0).as == known);
  }
}

TEST_CASE("fewer connections than are open are made when that is the setting from now on") {
  lane_table table(8, 4);
  put_crowd(table, "new", 20);
  auto slots = table.take_slots(start);
  for (auto second : {1s, 2s})
    for (const connection_slot& s : table.take_slots(start + second)) slots.push_back(s);
  CHECK(slots.size() == 6);
  table.set_most(2, 4);
  for (std::size_t i = 0; i < 5; ++i) {
    table.failed(*slots.at(i).to, start + 1h);
    table.give_back(slots.at(i));
    CHECK(table.take_slots(start).empty());
  }
}

// A clock that jumps from second to second, and hosts of which none answers: a first look ends
// after three seconds, a patient one after a quarter of a minute.
TEST_CASE("a new host is looked at within moments however many dead ones wait before it") {
  lane_table table(16, 4);
  put_crowd(table, "dead", 2000);
  std::multimap<sys_seconds, connection_slot> open;
  std::map<std::string, sys_seconds> came;
  std::set<std::string> late;
  for (sys_seconds now = start; now < start + 600s; now += 1s) {
    while (!open.empty() && open.begin()->first <= now) {
      connection_slot s = open.begin()->second;
      open.erase(open.begin());
      if (s.as == standing::fresh)
        table.took_too_long(*s.to);
      else
        table.failed(*s.to, now + 60s);
      table.give_back(s);
    }
    if ((now - start).count() % 7 == 0) {
      const std::string host = "new" + std::to_string((now - start).count());
      put(table, host, 1, now);
      came[host] = now;
    }
    for (const connection_slot& s : table.take_slots(now)) {
      open.emplace(now + (s.as == standing::fresh ? first_moment : 15s), s);
      const auto found = came.find(s.to->host);
      if (found == came.end()) continue;
      if (s.as == standing::fresh && now - found->second > 1s) late.insert(s.to->host);
      came.erase(found);
    }
  }
  CHECK(late.empty());
  CHECK(came.size() <= 1);  // the very last may wait
}
