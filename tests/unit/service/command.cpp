#include "service/command.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace ima;
using namespace ima::service;
using namespace std::chrono_literals;

namespace {

command shell(std::string script) { return {{"/bin/sh", "-c", std::move(script)}, {}, 20s}; }

struct outcome {
  result<command_end> end;
  std::vector<std::string> lines;
};

// Runs `what` with `size` octets on its standard input.
outcome try_command(const command& what, std::size_t size = 0) {
  std::vector<std::string> lines;
  auto end = run(
      what,
      [&](char* into, std::size_t room) -> result<std::size_t> {
        const std::size_t count = std::min(room, size);
        std::fill_n(into, count, 'x');
        size -= count;
        return count;
      },
      [&](std::string_view line) { lines.emplace_back(line); });
  return {std::move(end), std::move(lines)};
}

}  // namespace

TEST_CASE("a command's exit status and its lines come back, the last without an end too") {
  const auto o = try_command(shell("echo one; printf two; exit 7"));
  CHECK(o.end.value().status == 7);
  CHECK(o.lines == std::vector<std::string>{"one", "two"});
}

TEST_CASE("a command reads all of an input larger than a pipe") {
  CHECK(try_command(shell("wc -c"), 5'000'000).lines == std::vector<std::string>{"5000000"});
}

TEST_CASE("a command that writes while it reads does not lock up") {
  const auto o = try_command(shell("tr x '\\n'"), 1'000'000);
  CHECK(o.end.value().status == 0);
  CHECK(o.lines.size() == 1'000'000);
}

TEST_CASE("a command may leave its input unread") {
  CHECK(try_command(shell("exit 0"), 5'000'000).end.value().status == 0);
}

TEST_CASE("a line too long is cut") {
  const auto o = try_command(shell("cat"), 100'000);
  REQUIRE(o.lines.size() == 1);
  CHECK(o.lines[0].size() == 1024);
}

TEST_CASE("a command ended by a signal has no exit status") {
  CHECK(try_command(shell("kill -9 $$")).end.value().status == -1);
}

TEST_CASE("a command that takes too long is ended with all that it started") {
  command slow = shell("sleep 60 & sleep 60");
  slow.time = 100ms;
  const auto before = std::chrono::steady_clock::now();
  const auto o = try_command(slow);
  CHECK(o.end.value().timed_out);
  CHECK(std::chrono::steady_clock::now() - before < 10s);
}

TEST_CASE("a command that is not there cannot be started, for now") {
  const auto o = try_command({{"/nonexistent/command"}, {}, 1s});
  CHECK(o.end.error().rule == "command-start");
  CHECK(o.end.error().kind == fault::temporary);
}

TEST_CASE("a command sees what is added to its environment") {
  command what = shell("echo $IMA_PEER");
  what.environment = {{"IMA_PEER", "[::1]:4711"}};
  CHECK(try_command(what).lines == std::vector<std::string>{"[::1]:4711"});
}

TEST_CASE("what is added to a command's environment stands there alone") {
  setenv("IMA_PEER", "outside", 1);
  const auto o = try_command({{"/usr/bin/env"}, {{"IMA_PEER", "[::1]:4711"}}, 20s});
  unsetenv("IMA_PEER");
  std::vector<std::string> peers;
  for (const std::string& line : o.lines)
    if (line.starts_with("IMA_PEER=")) peers.push_back(line);
  CHECK(peers == std::vector<std::string>{"IMA_PEER=[::1]:4711"});
}

TEST_CASE("an input that fails is reported") {
  const auto end = run(
      shell("cat"),
      [](char*, std::size_t) -> result<std::size_t> {
        return error{fault::temporary, "storage", "", "gone"};
      },
      [](std::string_view) {});
  CHECK(end.error().rule == "storage");
}

TEST_CASE("a command that exits is over, whatever it leaves running with its output open") {
  const auto before = std::chrono::steady_clock::now();
  const auto o = try_command(shell("echo done; sleep 20 2>/dev/null & exit 0"));
  CHECK(o.end.value().status == 0);
  CHECK(o.lines == std::vector<std::string>{"done"});
  CHECK(std::chrono::steady_clock::now() - before < 15s);
}

TEST_CASE("a command that exits is over, whatever it leaves running with its input open") {
  // 5 is its standard input: what a shell starts in the background gets another.
  command what = shell("exec 5<&0; sleep 60 <&5 >/dev/null 2>&1 & exit 0");
  what.time = 30s;
  const auto o = try_command(what, 1'000'000);
  CHECK(o.end.value().status == 0);
  CHECK(!o.end.value().timed_out);
}

TEST_CASE("a command that talks without end is ended when its time is over") {
  command loud = shell("yes; sleep 60");
  loud.time = 300ms;
  auto running = running_command::start(loud, [](std::string_view) {}).value();
  CHECK(running.finish().timed_out);
  auto another = running_command::start(loud, [](std::string_view) {}).value();
  const std::string much(1'000'000, 'x');
  CHECK(another.write(much).error().rule == "command-time");
}

TEST_CASE("a command that exits is over, whatever it leaves talking without end") {
  CHECK(try_command(shell("yes & exit 3")).end.value().status == 3);
}

TEST_CASE("a command that does not read makes us wait no longer than its time") {
  command stuck = shell("sleep 60");
  stuck.time = 100ms;
  auto running = running_command::start(stuck, [](std::string_view) {}).value();
  const std::string much(1'000'000, 'x');
  CHECK(running.write(much).error().rule == "command-time");
  CHECK(running.finish().timed_out);
}

TEST_CASE("the time that a command waits for us is not its own") {
  command slow = shell("cat >/dev/null; echo end");
  slow.time = 2s;
  std::vector<std::string> lines;
  auto running = running_command::start(slow, [&](std::string_view line) {
                   lines.emplace_back(line);
                 }).value();
  REQUIRE(running.write("x"));
  std::this_thread::sleep_for(2500ms);
  REQUIRE(running.write("y"));
  CHECK(running.finish().status == 0);
  CHECK(lines == std::vector<std::string>{"end"});
}
