#include "translate/from_line.hpp"

#include "translate/mime_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

namespace ima::translate {
namespace {

using words = std::span<const std::string_view>;

struct date_words {
  std::string_view day;
  std::string_view month;
  std::string_view year;
  std::string_view time;
  std::string_view zone = "+0000";
};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_number(std::string_view word) noexcept {
  return !word.empty() && std::all_of(word.begin(), word.end(), is_digit);
}
bool is_day(std::string_view word) noexcept { return is_number(word) && word.size() <= 2; }
bool is_year(std::string_view word) noexcept { return is_number(word) && word.size() == 4; }

bool is_month(std::string_view word) noexcept {
  constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return std::find(std::begin(months), std::end(months), word) != std::end(months);
}

// "10:00:00", or without seconds.
bool is_time(std::string_view word) noexcept {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos || !is_day(word.substr(0, colon))) return false;
  const std::string_view rest = word.substr(colon + 1);
  return is_day(rest.substr(0, 2)) &&
         (rest.size() == 2 || (rest.size() == 5 && rest[2] == ':' && is_day(rest.substr(3))));
}

// "+0100", "EST", "MET" and "DST", "(CET)".
bool is_zone(std::string_view word) noexcept {
  if (word.starts_with('+') || word.starts_with('-')) return is_number(word.substr(1));
  if (word.starts_with('(')) return word.ends_with(')');
  return word.size() <= 5 &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// What stands behind the time: zones, the year if it is not yet known, "remote from host".
bool read_end(words rest, date_words& date) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (!date.year.empty() && rest[i] == "remote" && rest.size() == i + 3)
      return rest[i + 1] == "from";
    if (date.year.empty() && is_year(rest[i]))
      date.year = rest[i];
    else if (is_zone(rest[i]) && date.zone == date_words().zone)
      date.zone = rest[i];
    else if (!is_zone(rest[i]))
      return false;
  }
  return !date.year.empty();
}

// "Jan 1 10:00:00 2024", as asctime(3) has it, or "1 Jan 2024 10:00:00"; all of the words.
std::optional<date_words> read_date(words all) {
  date_words date;
  std::size_t read = 0;
  if (all.size() >= 4 && is_month(all[0]) && is_day(all[1]) && is_time(all[2])) {
    date = {all[1], all[0], {}, all[2]};
    read = 3;
  } else if (all.size() >= 4 && is_day(all[0]) && is_month(all[1]) && is_year(all[2]) &&
             is_time(all[3])) {
    date = {all[0], all[1], all[2], all[3]};
    read = 4;
  }
  if (read == 0 || !read_end(all.subspan(read), date)) return std::nullopt;
  return date;
}

}  // namespace

// A sender may have spaces in it, so the date is looked for at each word.
std::optional<std::chrono::sys_seconds> time_of_from_line(std::string_view line) {
  std::vector<std::string_view> all;
  while (!(line = trim(line)).empty()) {
    all.push_back(line.substr(0, line.find_first_of(" \t")));
    line.remove_prefix(all.back().size());
  }
  for (std::size_t i = 1; i < all.size(); ++i) {
    const auto date = read_date(words(all).subspan(i));
    if (!date) continue;
    const auto when = parse_date(
        fmt::format("{} {} {} {} {}", date->day, date->month, date->year, date->time, date->zone));
    return when ? when->at : std::chrono::sys_seconds();
  }
  return std::nullopt;
}

bool is_separator(std::string_view line) {
  return line.starts_with("From ") && (trim(line.substr(5)).empty() || time_of_from_line(line));
}

}  // namespace ima::translate
