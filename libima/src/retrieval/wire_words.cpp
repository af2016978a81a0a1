#include "retrieval/wire_words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace ima::retrieval {

std::string text_to_wire(std::string_view text) {
  std::string word;
  for (const char c : text) {
    if (c == ' ')
      word += "%20";
    else if (c == '%')
      word += "%25";
    else
      word += c;
  }
  return word;
}

std::optional<std::string> text_from_wire(std::string_view word) {
  std::string text;
  for (std::size_t at = 0; at < word.size(); ++at) {
    if (word[at] != '%') {
      text += word[at];
      continue;
    }
    const std::string_view code = word.substr(at + 1, 2);
    if (code != "20" && code != "25") return std::nullopt;
    text += code == "20" ? ' ' : '%';
    at += 2;
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::string flags_to_wire(const std::vector<std::string>& flags) {
  return flags.empty() ? "-" : fmt::format("{}", fmt::join(flags, ","));
}

std::optional<std::vector<std::string>> flags_from_wire(std::string_view word) {
  std::vector<std::string> flags;
  if (word == "-") return flags;
  for (;;) {
    const std::size_t comma = word.find(',');
    const std::string_view flag = word.substr(0, comma);
    if (!check_flag(flag) || flags.size() == most_flags) return std::nullopt;
    flags.emplace_back(flag);
    if (comma == std::string_view::npos) return flags;
    word.remove_prefix(comma + 1);
  }
}

std::optional<timestamp> time_from_wire(std::string_view word) {
  auto time = timestamp::parse(word);
  if (!time || time->offset.count() != 0) return std::nullopt;
  return *time;
}

std::string time_to_wire(const std::optional<timestamp>& time) {
  return time ? timestamp{time->at}.text() : "-";
}

std::string reference_to_wire(const message_reference& what) {
  return folder_to_wire(what.folder) + "/" + what.id;
}

std::optional<message_reference> reference_from_wire(std::string_view word) {
  const std::size_t slash = word.rfind('/');
  if (slash == std::string_view::npos || !check_id(word.substr(slash + 1))) return std::nullopt;
  auto folder = folder_from_wire(word.substr(0, slash));
  if (!folder) return std::nullopt;
  return message_reference{*std::move(folder), std::string(word.substr(slash + 1))};
}

std::string_view or_dash(std::string_view text) { return text.empty() ? "-" : text; }

}  // namespace ima::retrieval
