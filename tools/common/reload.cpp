#include "reload.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace ima::tools {
namespace {

// A file that was replaced differs in this, and so does one that is gone.
std::string identity_of(const std::string& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return "missing";
  return fmt::format("{} {}", now.st_dev, now.st_ino);
}

// And one that was written in this.
std::string state_of(const std::string& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return "missing";
  return fmt::format("{} {} {} {}.{}", now.st_dev, now.st_ino, now.st_size, now.st_mtim.tv_sec,
                     now.st_mtim.tv_nsec);
}

std::map<std::string, std::string> states_of(const watched_files& watched) {
  std::map<std::string, std::string> states;
  for (const std::string& path : watched.databases) states[path] = identity_of(path);
  for (const std::string& path : watched.files) {
    states[path] = state_of(path);
    std::error_code none;  // no directory, or one that cannot be read: nothing is in it then
    for (const auto& entry : std::filesystem::directory_iterator(path, none))
      states[entry.path().string()] = state_of(entry.path().string());
  }
  return states;
}

}  // namespace

reload_watch::reload_watch(std::function<void()> stop, take_up reload, watched_files first,
                           log_sink& log)
    : take_up_(std::move(reload)),
      watched_(std::move(first)),
      seen_(states_of(watched_)),
      log_(log),
      signals_({.stop = std::move(stop),
                .reload = [this] { this->reload("signal"); },
                .tick = [this] { look(); },
                .patience = [this] { return watched_.every; }}) {}

void reload_watch::look() {
  if (states_of(watched_) != seen_) reload("change");
}

// Broken settings are complained about once, not at every look, and looked at again when any file
// of theirs or of those in use changes.
void reload_watch::reload(std::string_view why) {
  const fingerprint before = states_of(watched_);
  watched_files read;
  const auto good = take_up_(read);
  if (!good) {
    read.files.merge(watched_.files);
    read.databases.merge(watched_.databases);
    read.every = watched_.every;
  }
  watched_ = std::move(read);
  seen_ = states_of(watched_);
  for (const auto& [path, state] : before)
    if (seen_.contains(path)) seen_[path] = state;  // what changed meanwhile is seen next time
  if (good)
    log_.write({log_level::info, "reloaded", {{"why", std::string(why)}}});
  else
    log_.write({log_level::error,
                "reload-refused",
                {{"why", std::string(why)},
                 {"rule", std::string(good.error().rule)},
                 {"text", good.error().message()}}});
}

void log_restart(log_sink& log,
                 std::initializer_list<std::pair<std::string_view, bool>> changed_settings) {
  std::string names;
  for (const auto& [name, changed] : changed_settings)
    if (changed) names += fmt::format("{}{}", names.empty() ? "" : ",", name);
  if (!names.empty()) log.write({log_level::warning, "restart-needed", {{"settings", names}}});
}

}  // namespace ima::tools
