#include "retrieval/option_grammar.hpp"

#include "retrieval/request_grammar.hpp"
#include "retrieval/wire_words.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace ima::retrieval {

namespace {

// `name=value`.
struct option {
  std::string_view name;
  std::string_view value;
};

error malformed(std::string_view word) {
  return refusal(reason::syntax, fmt::format("'{}' is malformed here, or one too many", word));
}

// Reads words to the end of the line; `take` says whether it could use one.
template <class Take>
result<void> each_option(std::string_view& rest, const Take& take) {
  for (std::size_t count = 0; !rest.empty(); ++count) {
    const std::string_view word = wire::take_word(rest);
    const std::size_t equals = word.find('=');
    const bool good = equals != std::string_view::npos && count < most_options &&
                      take(option{word.substr(0, equals), word.substr(equals + 1)});
    if (!good) return malformed(word);
  }
  return {};
}

bool add(std::vector<std::string>& list, std::optional<std::string> value) {
  if (!value) return false;
  list.push_back(*std::move(value));
  return true;
}

std::optional<std::string> flag_of(std::string_view word) {
  if (!check_flag(word)) return std::nullopt;
  return std::string(word);
}

// For what stands at most once.
template <class T>
bool set(std::optional<T>& place, std::optional<T> value) {
  if (place || !value) return false;
  place = std::move(value);
  return true;
}

bool take_criterion(search_query& query, const option& o) {
  if (o.name == "from") return add(query.from, text_from_wire(o.value));
  if (o.name == "to") return add(query.to, text_from_wire(o.value));
  if (o.name == "subject") return add(query.subject, text_from_wire(o.value));
  if (o.name == "text") return add(query.text, text_from_wire(o.value));
  if (o.name == "flag") return add(query.flags, flag_of(o.value));
  if (o.name == "no-flag") return add(query.without_flags, flag_of(o.value));
  if (o.name == "since") return set(query.since, time_from_wire(o.value));
  if (o.name == "before") return set(query.before, time_from_wire(o.value));
  if (o.name == "min-size") return set(query.min_size, wire::parse_number(o.value));
  if (o.name == "max-size") return set(query.max_size, wire::parse_number(o.value));
  return false;
}

bool add(std::vector<message_reference>& list, std::optional<message_reference> value) {
  if (!value) return false;
  list.push_back(*std::move(value));
  return true;
}

bool take_save(std::string& place, std::string_view value) {
  auto folder = folder_from_wire(value);
  if (!folder || !place.empty()) return false;
  place = *std::move(folder);
  return true;
}

// `part-2=inbox/d7f3/3`, after the `part-`.
bool take_part(std::vector<part_reference>& list, std::string_view number, std::string_view value) {
  const auto part = wire::parse_number(number);
  const std::size_t slash = value.rfind('/');
  if (!part || *part == 0 || slash == std::string_view::npos) return false;
  const auto source = wire::parse_number(value.substr(slash + 1));
  auto from = reference_from_wire(value.substr(0, slash));
  if (!source || *source == 0 || !from) return false;
  if (std::ranges::find(list, *part, &part_reference::part) != list.end()) return false;
  list.push_back({*part, *std::move(from), *source});
  return true;
}

bool take_send_option(send_options& options, const option& o) {
  constexpr std::string_view part = "part-";
  if (o.name == "save") return take_save(options.save, o.value);
  if (o.name == "answered") return add(options.answered, reference_from_wire(o.value));
  if (o.name == "forwarded") return add(options.forwarded, reference_from_wire(o.value));
  if (!o.name.starts_with(part)) return false;
  return take_part(options.parts, o.name.substr(part.size()), o.value);
}

// What is written is read back, so that a caller's mistakes are found by the same rules.
template <class Read>
result<std::string> checked(std::string words, const Read& read) {
  std::string_view rest(words);
  if (!rest.empty()) rest.remove_prefix(1);
  if (!wire::check_text(words, "option")) return error{fault::caller, "option", "", "a control"};
  const auto good = read(rest);
  if (!good) return error{fault::caller, "option", "", good.error().text};
  return words;
}

void write_texts(std::string& line, std::string_view name, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) line += fmt::format(" {}={}", name, text_to_wire(text));
}

void write_references(std::string& line, std::string_view name,
                      const std::vector<message_reference>& references) {
  for (const auto& r : references) line += fmt::format(" {}={}", name, reference_to_wire(r));
}

}  // namespace

result<search_query> read_criteria(std::string_view& rest) {
  search_query query;
  IMA_CHECK(each_option(rest, [&](const option& o) { return take_criterion(query, o); }));
  return query;
}

result<send_options> read_send_options(std::string_view& rest) {
  send_options options;
  IMA_CHECK(each_option(rest, [&](const option& o) { return take_send_option(options, o); }));
  return options;
}

result<std::string> write_criteria(const search_query& query) {
  std::string line;
  write_texts(line, "from", query.from);
  write_texts(line, "to", query.to);
  write_texts(line, "subject", query.subject);
  write_texts(line, "text", query.text);
  write_texts(line, "flag", query.flags);
  write_texts(line, "no-flag", query.without_flags);
  if (query.since) line += fmt::format(" since={}", time_to_wire(query.since));
  if (query.before) line += fmt::format(" before={}", time_to_wire(query.before));
  if (query.min_size) line += fmt::format(" min-size={}", *query.min_size);
  if (query.max_size) line += fmt::format(" max-size={}", *query.max_size);
  return checked(std::move(line), read_criteria);
}

result<std::string> write_send_options(const send_options& options) {
  std::string line;
  if (!options.save.empty()) line += fmt::format(" save={}", folder_to_wire(options.save));
  write_references(line, "answered", options.answered);
  write_references(line, "forwarded", options.forwarded);
  for (const part_reference& p : options.parts)
    line += fmt::format(" part-{}={}/{}", p.part, reference_to_wire(p.from), p.source);
  return checked(std::move(line), read_send_options);
}

}  // namespace ima::retrieval
