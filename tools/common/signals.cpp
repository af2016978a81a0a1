#include "signals.hpp"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <utility>

namespace ima::tools {
namespace {

// SIGUSR1 is how the destructor ends the thread.
sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, number);
  return set;
}

// The next of the signals, or 0 where none came in time.
int wait_for(const sigset_t& set, std::chrono::milliseconds patience) {
  int number = 0;
  if (patience.count() <= 0) return sigwait(&set, &number) == 0 ? number : 0;
  const timespec limit{.tv_sec = static_cast<std::time_t>(patience.count() / 1000),
                       .tv_nsec = static_cast<long>(patience.count() % 1000) * 1'000'000};
  return std::max(sigtimedwait(&set, nullptr, &limit), 0);  // EINTR is as good as the time
}

void watch(const signal_actions& actions) {
  const sigset_t set = watched_signals();
  for (int number = 0; (number = wait_for(set, actions.patience())) != SIGUSR1;) {
    if (number == 0)
      actions.tick();
    else
      (number == SIGHUP ? actions.reload : actions.stop)();
  }
}

}  // namespace

void block_watched_signals() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

signal_watch::signal_watch(signal_actions actions) {
  block_watched_signals();
  std::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([actions = std::move(actions)] { watch(actions); });
}

signal_watch::signal_watch(std::function<void()> stop, std::function<void()> reload)
    : signal_watch({std::move(stop), std::move(reload), [] {},
                    [] { return std::chrono::milliseconds(0); }}) {}

signal_watch::~signal_watch() {
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

}  // namespace ima::tools
