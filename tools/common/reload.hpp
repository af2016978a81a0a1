#pragma once

#include "signals.hpp"

#include <ima/error.hpp>
#include <ima/log.hpp>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace ima::tools {

/// The files that a server's settings were read from, and how often to look whether one has changed
/// (0: never).
struct watched_files {
  std::set<std::string> files;  ///< A directory stands for the files in it.
  /// Of these only that another file stands in its place: what changes inside is seen anyway.
  std::set<std::string> databases;
  std::chrono::milliseconds every{0};
};

/// Keeps a running server's settings up to date and lets signals stop it: the one place where a
/// server takes up what has changed on disk.
///
/// `take_up` reads all settings anew and puts them to use, all of them or none, and fills in what
/// it read, as far as it came. It is called on SIGHUP, and when a file has changed. An error is
/// logged
/// (`reload-refused`), and what was in use stays; success is `reloaded`.
class reload_watch {
 public:
  using take_up = std::function<result<void>(watched_files& read)>;

  /// `first` is what the server was started from. `log` is not owned.
  reload_watch(std::function<void()> stop, take_up reload, watched_files first, log_sink& log);

 private:
  using fingerprint = std::map<std::string, std::string>;  // path -> what the system says of it

  void reload(std::string_view why);
  void look();

  take_up take_up_;
  watched_files watched_;
  fingerprint seen_;
  log_sink& log_;
  signal_watch signals_;  // last: its thread uses the others
};

/// Says which settings have changed and count only after a restart (`restart-needed`).
void log_restart(log_sink& log,
                 std::initializer_list<std::pair<std::string_view, bool>> changed_settings);

}  // namespace ima::tools
