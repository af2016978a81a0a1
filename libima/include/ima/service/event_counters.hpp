#pragma once

#include <ima/export.hpp>
#include <ima/log.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace ima::service {

/// Counts the events of a log on their way to it, and tells the counts as OpenMetrics text
/// (docs/programs.md section 3). Events count by name and by those of their keys whose values
/// are closed lists. Thread-safe.
class IMA_API event_counters : public log_sink {
 public:
  /// `next` gets every event too; it is not owned and outlives this, and may be null.
  explicit event_counters(log_sink* next = nullptr) : next_(next) {}

  /// Counts the event and passes it on.
  void write(const log_event& event) override;
  /// All counts as one text (OpenMetrics 1.0).
  std::string open_metrics() const;

 private:
  log_sink* next_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> counts_;  // by labels
  std::uint64_t octets_ = 0;                     // of accepted bodies
  std::int64_t connections_ = 0;
};

}  // namespace ima::service
