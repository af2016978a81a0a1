#include "net/connect_race.hpp"

#include "net/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace ima::net {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds head_start{250};

// What the attempts share. They outlive the race: those that lose are cancelled and end later.
struct race {
  explicit race(const asio::any_io_executor& e) : executor(e), changed(e) {}

  asio::any_io_executor executor;
  asio::steady_timer changed;  // cancelled when an attempt ends
  std::list<tcp::socket> running;
  std::optional<tcp::socket> winner;
  std::size_t open = 0;
  error problem{fault::temporary, "connection", "", "no address"};

  void ended(std::list<tcp::socket>::iterator socket, const tcp::endpoint& where,
             asio::error_code failed) {
    --open;
    if (failed && !winner)
      problem = {fault::temporary, "connection", text_of(where), failed.message()};
    if (!failed && !winner) winner.emplace(std::move(*socket));
    running.erase(socket);
    changed.cancel();
  }
};

void start(const std::shared_ptr<race>& r, const tcp::endpoint& where) {
  const auto socket = r->running.emplace(r->running.end(), r->executor);
  ++r->open;
  socket->async_connect(
      where, [r, socket, where](asio::error_code failed) { r->ended(socket, where, failed); });
}

// Until an attempt ends, or `until`. False at `until`.
awaitable<bool> next_change(race& r, clock::time_point until) {
  r.changed.expires_at(until);
  const auto [woken] = co_await r.changed.async_wait(as_result);
  co_return woken.operator bool();
}

}  // namespace

std::vector<tcp::endpoint> interleaved(const std::vector<tcp::endpoint>& all) {
  std::vector<tcp::endpoint> six;
  std::vector<tcp::endpoint> four;
  for (const tcp::endpoint& e : all) (e.address().is_v6() ? six : four).push_back(e);
  std::vector<tcp::endpoint> out;
  out.reserve(all.size());
  for (std::size_t i = 0; i < std::max(six.size(), four.size()); ++i) {
    if (i < six.size()) out.push_back(six[i]);
    if (i < four.size()) out.push_back(four[i]);
  }
  return out;
}

awaitable<result<tcp::socket>> connect_race(std::vector<tcp::endpoint> endpoints,
                                            clock::time_point until) {
  const auto r = std::make_shared<race>(co_await asio::this_coro::executor);
  bool in_time = true;
  for (const tcp::endpoint& where : interleaved(endpoints)) {
    if (r->winner || clock::now() >= until) break;
    start(r, where);
    const std::size_t open = r->open;
    const auto others_turn = std::min(clock::now() + head_start, until);
    while (!r->winner && r->open >= open && co_await next_change(*r, others_turn)) continue;
  }
  while (!r->winner && r->open > 0 && in_time) in_time = co_await next_change(*r, until);
  for (tcp::socket& loser : r->running) {
    asio::error_code ignored;  // it lost, however it ends
    loser.close(ignored);
  }
  if (r->winner) co_return std::move(*r->winner);
  if (r->open > 0) co_return error{fault::temporary, "timeout", "", "no address answers"};
  co_return r->problem;
}

}  // namespace ima::net
