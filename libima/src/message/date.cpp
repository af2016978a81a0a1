#include <ima/date.hpp>

#include <fmt/format.h>

#include <optional>

namespace ima {
namespace {

// Takes `width` digits off the front; nothing if they are not all digits.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, width)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_char(text, 'Z')) return std::chrono::minutes(0);
  const bool ahead = take_char(text, '+');
  if (!ahead && !take_char(text, '-')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take_char(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  if (offset.count() == 0) return std::nullopt;  // zero has one form, Z
  return ahead ? offset : -offset;
}

std::optional<timestamp> read(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_digits(text, 4);
  if (!y || *y == 0 || !take_char(text, '-')) return std::nullopt;
  const auto m = take_digits(text, 2);
  if (!m || !take_char(text, '-')) return std::nullopt;
  const auto d = take_digits(text, 2);
  if (!d || !take_char(text, 'T')) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*m)},
                            day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  const auto hh = take_digits(text, 2);
  if (!hh || *hh > 23 || !take_char(text, ':')) return std::nullopt;
  const auto mm = take_digits(text, 2);
  if (!mm || *mm > 59 || !take_char(text, ':')) return std::nullopt;
  const auto ss = take_digits(text, 2);
  if (!ss || *ss > 59) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const sys_seconds local = sys_days(date) + hours(*hh) + minutes(*mm) + seconds(*ss);
  return timestamp{local - *offset, *offset};
}

}  // namespace

result<timestamp> timestamp::parse(std::string_view text) {
  if (const auto value = read(text)) return *value;
  return error{fault::peer, "date-syntax", "",
               "not a date like 2026-11-23T09:30:00Z or 2026-11-23T18:30:00+09:00"};
}

std::string timestamp::text() const {
  using namespace std::chrono;
  const sys_seconds local = at + offset;
  const sys_days day = floor<days>(local);
  const year_month_day date(day);
  const hh_mm_ss time(local - day);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  time.hours().count(), time.minutes().count(), time.seconds().count());
  if (offset.count() == 0) return out + "Z";
  const auto ahead = abs(offset).count();
  return out + fmt::format("{}{:02}:{:02}", offset.count() > 0 ? '+' : '-', ahead / 60, ahead % 60);
}

}  // namespace ima
