#include "log.hpp"

#include <ima/date.hpp>
#include <ima/error.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace ima::tools {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warning", "error"};

bool is_plain(char c) { return c > ' ' && c != '"' && c != '=' && c != '\\' && c != '\x7f'; }

// Letters as they are, anything else in quotes.
std::string log_value(std::string_view value) {
  const std::string safe = printable(value);
  if (!safe.empty() && std::all_of(safe.begin(), safe.end(), is_plain)) return safe;
  std::string quoted = "\"";
  for (const char c : safe) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted += '"';
}

}  // namespace

std::string format_event(const log_event& event, std::string_view time) {
  std::string line(time);
  line += ' ';
  line += level_names.at(static_cast<std::size_t>(event.level));
  line += ' ';
  line += event.name;
  for (const auto& [key, value] : event.fields) {
    line += ' ';
    line += key;
    line += '=';
    line += log_value(value);
  }
  return line;
}

void stderr_log::write(const log_event& event) {
  if (event.level < least_) return;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::string line = format_event(event, timestamp{now, {}}.text()) + '\n';
  const std::lock_guard hold(mutex_);
  // A log that cannot be written has nowhere to complain.
  std::fwrite(line.data(), 1, line.size(), stderr);
}

log_sink& warnings() {
  static stderr_log log(log_level::warning);
  return log;
}

}  // namespace ima::tools
