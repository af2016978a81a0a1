#include "retrieval/reply_grammar.hpp"

#include "retrieval/request_grammar.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

namespace ima::retrieval {

namespace {

using wire::parse_number;
using wire::take_word;

constexpr std::size_t longest_text = 512;

error malformed(std::string_view line) {
  return error{fault::peer, "reply-syntax", "", fmt::format("not a reply: {}", line)};
}

error no_greeting(std::string_view why) {
  return error{fault::peer, "greeting", "", std::string(why)};
}

// Reads the arguments of one line; any failure is told once, at the end.
class arguments {
 public:
  explicit arguments(std::string_view rest) : rest_(rest) {}

  std::string_view word() {
    const std::string_view w = take_word(rest_);
    if (w.empty()) good_ = false;
    return w;
  }
  std::string id() {
    const std::string_view w = word();
    if (!check_id(w)) good_ = false;
    return std::string(w);
  }
  std::uint64_t number() {
    const auto value = parse_number(word());
    if (!value) good_ = false;
    return value.value_or(0);
  }
  std::string folder() {
    auto name = folder_from_wire(word());
    if (!name) good_ = false;
    return name ? *std::move(name) : std::string();
  }
  void refuse() { good_ = false; }
  bool more() const { return good_ && !rest_.empty(); }
  /// Every argument was good and none is left.
  bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

constexpr std::array<std::string_view, 6> roles{"inbox",   "sent", "drafts",
                                                "archive", "junk", "trash"};

// `-` stands for none.
std::string_view or_dash(std::string_view text) { return text.empty() ? "-" : text; }

reply_line read_folder(arguments& a) {
  folder_info info;
  const std::string_view role = a.word();
  if (role != "-") {
    info.role = role;
    if (std::ranges::find(roles, role) == roles.end()) a.refuse();
  }
  info.name = a.folder();
  return reply::folder{std::move(info)};
}

std::vector<std::string> read_flags(arguments& a) {
  std::vector<std::string> flags;
  std::string_view rest = a.word();
  if (rest == "-") return flags;
  for (;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view flag = rest.substr(0, comma);
    if (!check_flag(flag) || flags.size() == most_flags) a.refuse();
    flags.emplace_back(flag);
    if (comma == std::string_view::npos || flags.size() > most_flags) return flags;
    rest.remove_prefix(comma + 1);
  }
}

reply_line read_present(arguments& a) {
  entry e;
  e.id = a.id();
  e.seq = a.number();
  e.size = a.number();
  e.flags = read_flags(a);
  auto arrived = timestamp::parse(a.word());
  if (!arrived || arrived->offset.count() != 0) a.refuse();
  if (arrived) e.arrived = *arrived;
  std::string id = e.id;
  return reply::changed_entry{change{std::move(id), std::move(e)}};
}

reply_line read_absent(arguments& a) { return reply::changed_entry{change{a.id(), {}}}; }

reply_line read_header(arguments& a) {
  header_line h;
  h.id = a.id();
  h.block = a.number();
  h.record = a.number();
  return h;
}

reply_line read_gone(arguments& a) { return reply::gone{a.id()}; }
reply_line read_changed(arguments& a) { return reply::changed{a.id()}; }

reply_line read_copied(arguments& a) {
  reply::copied c;
  c.id = a.id();
  c.new_id = a.id();
  return c;
}

reply_line read_part(arguments& a) {
  reply::part_begin p;
  p.id = a.id();
  p.part = a.number();
  p.offset = a.number();
  p.length = a.number();
  return p;
}

struct reply_row {
  std::string_view word;
  reply_line (*read)(arguments&);
};

constexpr std::array reply_rows{
    reply_row{"FOLDER", read_folder}, reply_row{"+", read_present},
    reply_row{"-", read_absent},      reply_row{"HEADER", read_header},
    reply_row{"GONE", read_gone},     reply_row{"CHANGED", read_changed},
    reply_row{"COPIED", read_copied}, reply_row{"PART", read_part},
};

// `FAIL word [text]` and `DEFER word [text]`, after the first word. A word that is new to this
// library is taken for what the keyword says.
result<reply_line> read_failure(bool temporary, std::string_view rest) {
  const std::size_t space = rest.find(' ');
  const std::string_view word = rest.substr(0, space);
  if (!check_flag(word)) return malformed(rest);
  reply::failure f{reason_from(word).value_or(reason::internal), temporary, {}};
  if (space != std::string_view::npos) f.text = rest.substr(space + 1);
  return reply_line(std::move(f));
}

}  // namespace

std::string write_greeting(std::string_view host) { return fmt::format("IMRP 1 {}", host); }

std::string write_folder(const folder_info& f) {
  return fmt::format("FOLDER {} {}", or_dash(f.role), folder_to_wire(f.name));
}

std::string write_change(const change& c) {
  if (!c.present) return fmt::format("- {}", c.id);
  const entry& e = *c.present;
  const std::string flags = fmt::format("{}", fmt::join(e.flags, ","));
  return fmt::format("+ {} {} {} {} {}", c.id, e.seq, e.size, or_dash(flags), e.arrived.text());
}

std::string write_header(std::string_view id, std::size_t block, std::size_t record) {
  return fmt::format("HEADER {} {} {}", id, block, record);
}

std::string write_part(std::string_view id, std::uint64_t part, std::uint64_t offset,
                       std::uint64_t length) {
  return fmt::format("PART {} {} {} {}", id, part, offset, length);
}

std::string write_ok(const folder_status& s) {
  return fmt::format("OK messages={} unseen={} size={} token={}", s.messages, s.unseen, s.size,
                     s.token);
}

std::string write_ok(std::string_view token, bool more) {
  return fmt::format("OK {}{}", token, more ? " more" : "");
}

std::string write_failure(reason why, std::string_view text) {
  std::string line = fmt::format("{} {}", is_temporary(why) ? "DEFER" : "FAIL", to_string(why));
  if (!text.empty()) line += ' ' + wire::clean_text(text, longest_text);
  return line;
}

result<reply::greeting> parse_greeting(std::string_view line, std::string_view expected_host) {
  if (take_word(line) != "IMRP") return no_greeting("the server does not greet as IMRP");
  if (take_word(line) != "1") return no_greeting("the server speaks another version");
  if (take_word(line) != expected_host) return no_greeting("the server is for another host");
  reply::greeting greeting;
  while (!line.empty()) {
    const std::string_view word = take_word(line);
    if (word.empty()) return no_greeting("malformed capabilities");
    greeting.capabilities.emplace_back(word);
  }
  return greeting;
}

result<reply_line> parse_reply(std::string_view line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  if (line == "OK" || (word == "OK" && !rest.empty())) return reply_line(ok_line{rest});
  if (word == "FAIL" || word == "DEFER") return read_failure(word == "DEFER", rest);
  const auto row = std::ranges::find(reply_rows, word, &reply_row::word);
  if (row == reply_rows.end()) return malformed(line);
  arguments a(rest);
  reply_line reply = row->read(a);
  if (!a.complete()) return malformed(line);
  return reply;
}

result<folder_status> parse_status(std::string_view words) {
  folder_status status;
  std::uint64_t* const numbers[] = {&status.messages, &status.unseen, &status.size};
  constexpr std::string_view names[] = {"messages=", "unseen=", "size="};
  arguments a(words);
  for (std::size_t i = 0; i < std::size(names); ++i) {
    const std::string_view word = a.word();
    const auto value =
        word.starts_with(names[i]) ? parse_number(word.substr(names[i].size())) : std::nullopt;
    if (!value) return malformed(words);
    *numbers[i] = *value;
  }
  constexpr std::string_view token = "token=";
  const std::string_view word = a.word();
  if (!word.starts_with(token) || !check_token(word.substr(token.size()))) return malformed(words);
  status.token = word.substr(token.size());
  while (a.more()) a.word();  // words of later versions
  if (!a.complete()) return malformed(words);
  return status;
}

result<void> parse_token(std::string_view words, reply::done& end) {
  arguments a(words);
  end.token = a.word();
  if (a.more()) {
    end.more = true;
    if (a.word() != "more") a.refuse();
  }
  if (!a.complete() || !check_token(end.token)) return malformed(words);
  return {};
}

}  // namespace ima::retrieval
