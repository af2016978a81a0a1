#include "retrieval/reply_grammar.hpp"

#include "retrieval/wire_words.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

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
  std::optional<address> recipient() {
    auto read = address::parse(word());
    if (!read) good_ = false;
    return read ? std::optional(*std::move(read)) : std::nullopt;
  }
  std::optional<timestamp> time() {
    auto read = time_from_wire(word());
    if (!read) good_ = false;
    return read;
  }
  /// The rest of the line, for people.
  std::string text() { return std::string(std::exchange(rest_, {})); }
  void refuse() { good_ = false; }
  bool more() const { return good_ && !rest_.empty(); }
  /// Every argument was good and none is left.
  bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// Stands in for what could not be read; the line is refused.
const address& no_address() {
  static const address nobody = address::parse("nobody@invalid.example").value();
  return nobody;
}

reply_line read_folder(arguments& a) {
  folder_info info;
  const std::string_view role = a.word();
  if (role != "-") {
    info.role = role;
    if (!is_role(role)) a.refuse();
  }
  info.name = a.folder();
  return reply::folder{std::move(info)};
}

reply_line read_present(arguments& a) {
  entry e;
  e.id = a.id();
  e.seq = a.number();
  e.size = a.number();
  auto flags = flags_from_wire(a.word());
  if (!flags) a.refuse();
  e.flags = std::move(flags).value_or(std::vector<std::string>());
  e.arrived = a.time().value_or(timestamp());
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

reply_line read_accepted(arguments&) { return reply::accepted{}; }
reply_line read_found(arguments& a) { return reply::found{a.id()}; }

reply_line read_outcome(arguments& a) {
  using kind = recipient_outcome::kind;
  constexpr kind kinds[] = {kind::ok, kind::queued, kind::fail, kind::defer};
  const std::string_view word = a.word();
  const auto* const known = std::ranges::find(kinds, word, [](kind k) { return to_string(k); });
  if (known == std::end(kinds)) a.refuse();
  recipient_outcome o{kind::defer, a.recipient().value_or(no_address()), {}};
  if (known != std::end(kinds)) o.what = *known;
  o.text = a.text();
  return reply::outcome{std::move(o)};
}

reply_line read_note(arguments& a) {
  reply::note n;
  const std::string_view host = a.word();
  if (host != "-" && !check_hostpart(host)) a.refuse();
  if (host != "-") n.host = host;
  n.text = a.text();
  return n;
}

reply_line read_queued(arguments& a) {
  std::string id = a.id();
  queued_message m{
      std::move(id), a.recipient().value_or(no_address()), a.time().value_or(timestamp()), {}, {}};
  const std::string_view next = a.word();
  m.next = time_from_wire(next);
  if (!m.next && next != "-") a.refuse();
  m.text = a.text();
  return reply::queued{std::move(m)};
}

reply_line read_event(arguments& a) {
  reply::event e;
  e.now.folder = a.folder();
  e.now.token = a.word();
  if (!check_token(e.now.token)) a.refuse();
  return e;
}

struct reply_row {
  std::string_view word;
  reply_line (*read)(arguments&);
};

constexpr std::array reply_rows{
    reply_row{"FOLDER", read_folder},   reply_row{"+", read_present},
    reply_row{"-", read_absent},        reply_row{"HEADER", read_header},
    reply_row{"GONE", read_gone},       reply_row{"CHANGED", read_changed},
    reply_row{"COPIED", read_copied},   reply_row{"PART", read_part},
    reply_row{"ACCEPT", read_accepted}, reply_row{"FOUND", read_found},
    reply_row{"RESULT", read_outcome},  reply_row{"NOTE", read_note},
    reply_row{"QUEUED", read_queued},   reply_row{"EVENT", read_event},
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

// `name=value`, the value a number or, where `most` is given, two with a stroke between.
std::optional<std::uint64_t> number_of(std::string_view word, std::string_view name,
                                       std::optional<std::uint64_t>* most = nullptr) {
  if (!word.starts_with(name)) return std::nullopt;
  word.remove_prefix(name.size());
  if (most == nullptr) return parse_number(word);
  const std::size_t stroke = word.find('/');
  if (stroke == std::string_view::npos) return std::nullopt;
  const std::string_view limit = word.substr(stroke + 1);
  *most = parse_number(limit);
  if (!*most && limit != "-") return std::nullopt;
  return parse_number(word.substr(0, stroke));
}

std::string with_text(std::string line, std::string_view text) {
  if (!text.empty()) line += ' ' + wire::clean_text(text, longest_text);
  return line;
}

std::string limit_text(const std::optional<std::uint64_t>& limit) {
  return limit ? std::to_string(*limit) : "-";
}

}  // namespace

std::string write_greeting(std::string_view host, std::span<const std::string_view> capabilities) {
  std::string line = fmt::format("IMRP 1 {}", host);
  for (const std::string_view word : capabilities) line += fmt::format(" {}", word);
  return line;
}

std::string write_folder(const folder_info& f) {
  return fmt::format("FOLDER {} {}", or_dash(f.role), folder_to_wire(f.name));
}

std::string write_change(const change& c) {
  if (!c.present) return fmt::format("- {}", c.id);
  const entry& e = *c.present;
  return fmt::format("+ {} {} {} {} {}", c.id, e.seq, e.size, flags_to_wire(e.flags),
                     time_to_wire(e.arrived));
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

std::string write_ok(const quota_status& s) {
  return fmt::format("OK size={}/{} messages={}/{}", s.size, limit_text(s.max_size), s.messages,
                     limit_text(s.max_messages));
}

std::string write_ok(const send_end& end) {
  return fmt::format("OK {} {}", to_string(end.what), or_dash(end.saved));
}

std::string write_event(const watched_folder& now) {
  return fmt::format("EVENT {} {}", folder_to_wire(now.folder), now.token);
}

std::string write_outcome(const recipient_outcome& o) {
  return with_text(fmt::format("RESULT {} {}", to_string(o.what), o.recipient.text()), o.text);
}

std::string write_note(std::string_view host, std::string_view text) {
  return with_text(fmt::format("NOTE {}", or_dash(host)), text.empty() ? "-" : text);
}

std::string write_queued(const queued_message& m) {
  return with_text(fmt::format("QUEUED {} {} {} {}", m.id, m.recipient.text(),
                               time_to_wire(m.since), time_to_wire(m.next)),
                   m.text);
}

std::string write_failure(reason why, std::string_view text) {
  return with_text(fmt::format("{} {}", is_temporary(why) ? "DEFER" : "FAIL", to_string(why)),
                   text);
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
    const auto value = number_of(a.word(), names[i]);
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

result<void> parse_id(std::string_view words, reply::done& end) {
  arguments a(words);
  end.id = a.id();
  if (!a.complete()) return malformed(words);
  return {};
}

result<void> parse_cursor(std::string_view words, reply::done& end) {
  if (words.empty()) return {};
  if (!check_token(words)) return malformed(words);
  end.cursor = words;
  return {};
}

result<void> parse_quota(std::string_view words, reply::done& end) {
  quota_status status;
  arguments a(words);
  const auto size = number_of(a.word(), "size=", &status.max_size);
  const auto messages = number_of(a.word(), "messages=", &status.max_messages);
  while (a.more()) a.word();  // words of later versions
  if (!size || !messages || !a.complete()) return malformed(words);
  status.size = *size;
  status.messages = *messages;
  end.quota = status;
  return {};
}

result<void> parse_verdict(std::string_view words, reply::done& end) {
  arguments a(words);
  const auto verdict = send_verdict_from(a.word());
  const std::string_view saved = a.word();
  const bool good = verdict && a.complete() && (saved == "-" || check_id(saved));
  if (!good) return malformed(words);
  end.sent = send_end{*verdict, saved == "-" ? std::string() : std::string(saved)};
  return {};
}

}  // namespace ima::retrieval
