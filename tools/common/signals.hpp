#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace ima::tools {

/// Keeps SIGTERM, SIGINT and SIGHUP from this thread and those it starts from now on. A server
/// calls it first of all: a thread started before would take the signal, and with it the default
/// action.
void block_watched_signals();

/// What is done on signals and between them; all of it on one thread, which is no other's, so it
/// may take its time.
struct signal_actions {
  std::function<void()> stop;    ///< On SIGTERM and SIGINT.
  std::function<void()> reload;  ///< On SIGHUP.
  std::function<void()> tick;    ///< After each time that no signal came for `patience`.
  std::function<std::chrono::milliseconds()> patience;  ///< Asked each time; 0 is for ever.
};

/// Watches for signals, and ignores SIGPIPE. Make it before any other thread: threads inherit the
/// blocked signals. At most one in a program. Throws std::system_error where the system starts no
/// more threads.
class signal_watch {
 public:
  explicit signal_watch(signal_actions actions);
  /// For a program that does nothing between signals.
  signal_watch(std::function<void()> stop, std::function<void()> reload);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

 private:
  std::thread thread_;
};

}  // namespace ima::tools
