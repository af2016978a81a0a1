#include "delivery/grammar.hpp"

#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace ima::delivery::grammar {
namespace {

error broken(std::string_view rule, std::string text) {
  return {fault::peer, rule, "", std::move(text)};
}

struct verb_row {
  std::string_view word;
  verb what;
  bool counted;
};
constexpr std::array<verb_row, 4> verbs{{{"MAIL", verb::mail, true},
                                         {"DATA", verb::data, true},
                                         {"CANCEL", verb::cancel, false},
                                         {"DONE", verb::done, false}}};

struct status_row {
  std::string_view word;
  std::optional<outcome> recipient;  // what it says of an address behind it
  std::optional<verdict> alone;      // what it says alone on its line
  std::optional<bool> refuses;       // with a reason word: true for good, false for now
};
constexpr std::array<status_row, 5> statuses{{
    {"OK", outcome::ok, verdict::ok, std::nullopt},
    {"FAIL", outcome::fail, verdict::fail, std::nullopt},
    {"DEFER", outcome::defer, verdict::defer, false},
    {"PARTIAL", std::nullopt, verdict::partial, std::nullopt},
    {"NORECIPIENT", outcome::no_recipient, std::nullopt, std::nullopt},
}};

bool is_reason_word(std::string_view word) {
  for (const char c : word)
    if (!((c >= 'a' && c <= 'z') || c == '-')) return false;
  return !word.empty();
}

result<reply> parse_status(const status_row& row, std::string_view rest, bool alone,
                           std::string_view line) {
  const error bad = broken("reply", fmt::format("'{}' is no reply", line));
  if (alone) {
    if (!row.alone) return bad;
    return reply(verdict_line{*row.alone});
  }
  const std::string_view word = wire::take_word(rest);
  if (word.find('@') == std::string_view::npos) {
    if (!row.refuses || !is_reason_word(word)) return bad;
    return reply(refusal_line{*row.refuses, word, rest});
  }
  if (!row.recipient) return bad;
  IMA_TRY(who, address::parse(word));
  return reply(recipient_line{*row.recipient, std::move(who), rest});
}

}  // namespace

result<command> parse_command(std::string_view line) {
  std::string_view rest = line;
  const std::string_view word = wire::take_word(rest);
  for (const verb_row& row : verbs) {
    if (row.word != word) continue;
    if (!row.counted) {
      if (line.size() != word.size())
        return broken("command", fmt::format("{} stands alone", word));
      return command{row.what, 0};
    }
    const auto count = wire::parse_number(rest);
    if (!count) return broken("number", fmt::format("{} needs a count of octets", word));
    return command{row.what, *count};
  }
  return broken("command", fmt::format("'{}' is no command", wire::clean_text(line, 80)));
}

result<greeting> parse_greeting(std::string_view line) {
  const error bad = broken("greeting", fmt::format("'{}' is no greeting of IMDP 1", line));
  std::string_view rest = line;
  if (wire::take_word(rest) != "IMDP" || wire::take_word(rest) != "1") return bad;
  greeting made;
  made.host = wire::take_word(rest);
  if (!check_hostpart(made.host)) return bad;
  bool sized = false;
  while (!rest.empty()) {
    const std::string_view word = wire::take_word(rest);
    if (word.empty()) return bad;
    if (!word.starts_with("max-size=")) {
      made.capabilities.emplace_back(word);
      continue;
    }
    const auto size = wire::parse_number(word.substr(9));
    if (!size || std::exchange(sized, true)) return bad;
    made.max_size = *size;
  }
  if (!sized) return bad;
  return made;
}

std::string format_greeting(std::string_view host, std::uint64_t max_size) {
  return fmt::format("IMDP 1 {} max-size={}", host, max_size);
}

result<reply> parse_reply(std::string_view line) {
  std::string_view rest = line;
  const std::string_view word = wire::take_word(rest);
  const bool alone = line.size() == word.size();
  if (word == "ACCEPT" && alone) return reply(accept_line{});
  if (word == "NOTE") return reply(note_line{rest});
  if (word == "CLOSE") return reply(close_line{rest});
  if (word == "REJECT") {
    const std::string_view why = wire::take_word(rest);
    if (!is_reason_word(why)) return broken("reply", fmt::format("'{}' is no reply", line));
    return reply(refusal_line{true, why, rest});
  }
  for (const status_row& row : statuses)
    if (row.word == word) return parse_status(row, rest, alone, line);
  return broken("reply", fmt::format("'{}' is no reply", line));
}

std::string format_refusal(bool permanent, std::string_view word, std::string_view text) {
  std::string line = fmt::format("{} {}", permanent ? "REJECT" : "DEFER", word);
  if (!text.empty()) line += " " + wire::clean_text(text, max_text);
  return line;
}

std::string format_result(outcome what, std::string_view recipient, std::string_view text) {
  std::string line = fmt::format("{} {}", to_string(what), recipient);
  if (!text.empty()) line += " " + wire::clean_text(text, max_text);
  return line;
}

}  // namespace ima::delivery::grammar
