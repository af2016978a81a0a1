#include "wire/words.hpp"

#include <ima/service/event_counters.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

namespace ima::service {
namespace {

// Keys whose values are words of the program, so that no stranger can make counters without end.
constexpr std::array<std::string_view, 5> labels{"answer", "reason", "result", "verdict", "rule"};

std::string labels_of(const log_event& event) {
  std::string out = fmt::format("event=\"{}\"", event.name);
  for (const auto& [key, value] : event.fields)
    if (!value.empty() && std::find(labels.begin(), labels.end(), key) != labels.end())
      fmt::format_to(std::back_inserter(out), ",{}=\"{}\"", key, value);
  return out;
}

std::uint64_t octets_of(const log_event& event) {
  for (const auto& [key, value] : event.fields)
    if (key == "octets") return wire::parse_number(value).value_or(0);
  return 0;
}

}  // namespace

void event_counters::write(const log_event& event) {
  if (next_ != nullptr) next_->write(event);
  const std::lock_guard lock(mutex_);
  if (event.name == "connection-opened") ++connections_;
  if (event.name == "connection-closed") --connections_;
  if (event.name == "message-finished") octets_ += octets_of(event);
  ++counts_[labels_of(event)];
}

std::string event_counters::open_metrics() const {
  const std::lock_guard lock(mutex_);
  std::string out =
      "# TYPE ima_events counter\n"
      "# HELP ima_events Events of the log, by name and closed words.\n";
  for (const auto& [which, count] : counts_)
    fmt::format_to(std::back_inserter(out), "ima_events_total{{{}}} {}\n", which, count);
  fmt::format_to(std::back_inserter(out),
                 "# TYPE ima_body_octets counter\n"
                 "# UNIT ima_body_octets octets\n"
                 "# HELP ima_body_octets Octets of bodies that were taken.\n"
                 "ima_body_octets_total {}\n"
                 "# TYPE ima_connections gauge\n"
                 "# HELP ima_connections Connections that are open.\n"
                 "ima_connections {}\n"
                 "# EOF\n",
                 octets_, connections_);
  return out;
}

}  // namespace ima::service
