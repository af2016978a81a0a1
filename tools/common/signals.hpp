#pragma once

#include <functional>
#include <thread>

namespace ima::tools {

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
