#include "signals.hpp"

#include <pthread.h>

#include <csignal>
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

void watch(const std::function<void()>& stop, const std::function<void()>& reload) {
  const sigset_t set = watched_signals();
  for (int number = 0; sigwait(&set, &number) == 0 && number != SIGUSR1;) {
    (number == SIGHUP ? reload : stop)();
  }
}

}  // namespace

void block_watched_signals() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

signal_watch::signal_watch(std::function<void()> stop, std::function<void()> reload) {
  block_watched_signals();
  std::signal(SIGPIPE, SIG_IGN);
  thread_ =
      std::thread([stop = std::move(stop), reload = std::move(reload)] { watch(stop, reload); });
}

signal_watch::~signal_watch() {
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

}  // namespace ima::tools
