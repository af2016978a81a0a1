#include "translate/date_field.hpp"

#include "translate/mime_words.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace ima::translate {
namespace {

// The words of a date, without the comment behind it; a comma separates like a space.
std::vector<std::string> words_of(std::string_view value) {
  if (value.ends_with(')')) value = value.substr(0, value.rfind('('));
  std::vector<std::string> out;
  bool inside = false;
  for (const char c : value) {
    const bool between = c == ' ' || c == '\t' || c == ',';
    if (!between && !inside) out.emplace_back();
    inside = !between;
    if (inside) out.back() += c;
  }
  return out;
}

// Zones whose names RFC 5322 section 4.3 gives a meaning, and what else is said for UTC.
bool is_known_zone(std::string_view lower_case) {
  constexpr std::array names = {"ut",  "utc", "gmt", "z",   "est", "edt",
                                "cst", "cdt", "mst", "mdt", "pst", "pdt"};
  return std::find(names.begin(), names.end(), lower_case) != names.end();
}

// Numbers and times as they are written in full: without a first 0, "10:30" for "10:30:00".
bool says(std::string_view written, std::string_view full) {
  const bool padded = full.starts_with('0') && written.size() % 3 == 1;
  if (padded) full.remove_prefix(1);
  return written == full || (full.ends_with(":00") && written == full.substr(0, full.size() - 3));
}

bool says_zone(const std::string& written, std::string_view full) {
  return written == full || (written == "-0000" && full == "+0000") ||
         is_known_zone(lower(written));
}

}  // namespace

date_field read_date(std::string_view value) {
  const auto when = parse_date(value);
  if (!when) return {};
  std::vector<std::string> words = words_of(trim(value));
  const std::vector<std::string> full =
      words_of(write_date(*when));  // Mon 23 Nov 2026 18:30:00 +0900
  // What is read in part has a date at midnight, whatever time it says.
  const bool timed = std::any_of(words.begin(), words.end(),
                                 [&](const std::string& w) { return says(w, full[4]); });
  if (!timed) return {};
  if (words.size() == full.size() && lower(words[0]).starts_with(lower(full[0])))
    words.erase(words.begin());
  const bool clean = words.size() == 5 && says(words[0], full[1]) &&
                     lower(words[1]) == lower(full[2]) && words[2] == full[3] &&
                     says(words[3], full[4]) && says_zone(words[4], full[5]);
  return {when, clean};
}

}  // namespace ima::translate
