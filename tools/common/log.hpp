#pragma once

#include <ima/log.hpp>

#include <mutex>
#include <string>

namespace ima::tools {

/// "2026-11-24T00:00:00Z level event key=value key=\"quoted text\"", without a line end. Values are
/// escaped, so one event is always one line.
std::string format_event(const log_event& event, std::string_view time);

/// Writes events to standard error, one line each, in one write. Thread-safe.
class stderr_log final : public log_sink {
 public:
  explicit stderr_log(log_level least = log_level::info) : least_(least) {}
  void write(const log_event& event) override;

 private:
  const log_level least_;
  std::mutex mutex_;
};

/// The log of a program that is no server: warnings, as a server writes them.
log_sink& warnings();

}  // namespace ima::tools
