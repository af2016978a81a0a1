#pragma once

#include <functional>
#include <thread>

namespace ima::tools {

/// Keeps SIGTERM, SIGINT and SIGHUP from this thread and those it starts from now on. A server
/// calls it first of all: a thread started before would take the signal, and with it the default
/// action.
void block_watched_signals();

/// Turns SIGTERM and SIGINT into a call of `stop` and SIGHUP into a call of `reload`, both on a
/// thread of its own (so they may do anything), and ignores SIGPIPE. Make it before any other
/// thread: threads inherit the blocked signals. At most one in a program.
class signal_watch {
 public:
  signal_watch(std::function<void()> stop, std::function<void()> reload);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

 private:
  std::thread thread_;
};

}  // namespace ima::tools
