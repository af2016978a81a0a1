#include "net/threads.hpp"

#include "support/thread.hpp"

#include <fmt/format.h>

#include <latch>
#include <numeric>
#include <thread>
#include <vector>

namespace ima::net {
namespace {

result<void> try_threads(std::size_t number) {
  std::latch all_tried(1);
  std::vector<std::thread> started;
  result<void> outcome;
  while (outcome && started.size() < number) {
    auto one = start_thread([&] { all_tried.wait(); });
    if (one)
      started.push_back(std::move(*one));
    else
      outcome = std::move(one).error();
  }
  all_tried.count_down();
  for (std::thread& each : started) each.join();
  return outcome;
}

}  // namespace

result<void> check_threads(std::initializer_list<std::size_t> pools) {
  constexpr std::size_t most = 1000;
  for (const std::size_t number : pools)
    if (number == 0 || number > most)
      return error{fault::caller, "workers", "",
                   fmt::format("{} threads, and a pool has from 1 to {}", number, most)};
  return try_threads(std::accumulate(pools.begin(), pools.end(), std::size_t{0}));
}

}  // namespace ima::net
