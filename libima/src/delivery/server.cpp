#include "delivery/grammar.hpp"
#include "delivery/states.hpp"
#include "support/told.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"
#include "wire/paced_run.hpp"
#include "wire/words.hpp"

#include <ima/delivery/server.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

namespace ima::delivery {
namespace {

// Which reason word answers a header block that breaks `rule` (docs/delivery.md section 6).
reason reason_for(std::string_view rule) {
  if (rule == "header-limit" || rule == "body-limit" || rule == "parts-limit") return reason::size;
  if (rule == "received-limit") return reason::loop;
  if (rule == "recipients-limit" || rule == "recipients-missing") return reason::recipients;
  return reason::syntax;
}

error out_of_turn(std::string_view call) {
  return {fault::caller, "out-of-turn", "", fmt::format("{} is not possible now", call)};
}

}  // namespace

struct server::state {
  server_options options;
  wire::input in;
  wire::output out;
  server_state now = server_state::ready;
  std::uint64_t steps = 0;
  wire::paced_run run;  // octets that are coming
  bool stopping = false;
  std::optional<header_block> header;
  std::optional<body_reader> body;
  octets unread_body;  // taken from `in`, not yet cut into slices
  std::unordered_set<std::string> recipients;
  std::size_t notes = 0;  // said about the present message
  std::string spoiled_note;
  verdict spoiled_verdict = verdict::fail;
  std::optional<error> problem;

  explicit state(server_options o) : options(std::move(o)), in(options.bounds.wire_line) {
    out.line(grammar::format_greeting(options.host, options.bounds.body));
  }

  void enter(server_state next) {
    now = next;
    ++steps;
  }
  bool one_of(std::initializer_list<server_state> states) const {
    return std::find(states.begin(), states.end(), now) != states.end();
  }

  server_event close(std::optional<error> why) {
    if (why) out.line(fmt::format("CLOSE {}", wire::clean_text(why->message(), grammar::max_text)));
    problem = std::move(why);
    enter(server_state::closed);
    return server_closed{problem};
  }
  server_event end_of_input();
  std::optional<server_event> step();
  std::optional<server_event> command();
  std::optional<server_event> obey(const grammar::command& c);
  std::optional<server_event> take_header();
  std::optional<server_event> offered(octets block);
  server_event refuse(error why);
  std::optional<server_event> take_body();
  std::optional<server_event> drop();
  void took(std::size_t count);
  void dropped();
  void spoil(std::string note, verdict answer);
  server_event offer(header_block valid);
  void settle(server_state next);
  bool mine(const address& a) const { return recipients.contains(a.key()); }
  void write_result(const recipient_result& r);
  void write_note(std::string_view text);
};

// After a message is answered: on with the next, or the end where stop() was called.
void server::state::settle(server_state next) {
  header.reset();
  body.reset();
  notes = 0;
  enter(next);
  if (!stopping) return;
  out.line("CLOSE shutdown");
  enter(server_state::closed);
}

server_event server::state::end_of_input() {
  if (one_of({server_state::ready, server_state::declined}) && in.empty())
    return close(std::nullopt);
  return close(error{fault::peer, "truncated", "", "the connection ended inside a message"});
}

// Nothing means: go on, something was taken.
std::optional<server_event> server::state::step() {
  switch (now) {
    case server_state::ready:
    case server_state::declined:
    case server_state::accepted:
      return command();
    case server_state::header:
      return take_header();
    case server_state::body:
      return take_body();
    case server_state::oversized:
    case server_state::spoiled:
    case server_state::dropping:
      return drop();
    case server_state::judging:
    case server_state::finishing:
      return server_waits{};
    case server_state::closed:
      return server_closed{problem};
  }
  return server_closed{problem};
}

std::optional<server_event> server::state::command() {
  auto line = in.line();
  if (!line) return close(std::move(line).error());
  if (!*line) return server_needs_input{};
  const auto parsed = grammar::parse_command(**line);
  if (!parsed) return close(parsed.error());
  return obey(*parsed);
}

std::optional<server_event> server::state::obey(const grammar::command& c) {
  const auto bad = [](std::string_view rule, std::string text) {
    return error{fault::peer, rule, "", std::move(text)};
  };
  run = wire::paced_run(c.count, options.bounds);
  ++steps;
  switch (transition(now, c.what)) {
    case action::illegal:
      return close(bad("command-order", "the command is not legal here"));
    case action::end:
      return close(std::nullopt);
    case action::ignore:
      settle(server_state::ready);
      return std::nullopt;
    case action::cancel:
      settle(server_state::ready);
      return offer_cancelled{};
    case action::take_header:
      if (c.count > std::max<std::uint64_t>(options.bounds.body, options.bounds.header_block))
        return close(bad("header-limit", "the header block is beyond every limit"));
      enter(c.count > options.bounds.header_block ? server_state::oversized : server_state::header);
      return std::nullopt;
    case action::drop_body:
      if (c.count > options.bounds.body)
        return close(bad("data-length", "a declined body is over max-size"));
      enter(server_state::dropping);
      return std::nullopt;
    case action::take_body:
      if (c.count != header->body_size())
        return close(bad("data-length", fmt::format("DATA {} where {} octets were announced",
                                                    c.count, header->body_size())));
      enter(server_state::body);
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<server_event> server::state::take_header() {
  const auto block = in.exactly(static_cast<std::size_t>(run.left()));
  if (!block) return server_needs_input{};
  return offered(*block);
}

std::optional<server_event> server::state::offered(octets block) {
  auto parsed = header_block::parse(block, options.bounds);
  if (!parsed) return refuse(std::move(parsed).error());
  return offer(std::move(*parsed));
}

server_event server::state::offer(header_block valid) {
  recipients.clear();
  for (const address& a : valid.recipients())
    if (a.host() == options.host) recipients.insert(a.key());
  if (recipients.empty())
    return refuse({fault::peer, "recipients-missing", "",
                   fmt::format("the message names no recipient at {}", options.host)});
  header = std::move(valid);
  enter(server_state::judging);
  return message_offered{*header};
}

server_event server::state::refuse(error why) {
  const reason word = reason_for(why.rule);
  out.line(grammar::format_refusal(true, to_string(word), why.message()));
  settle(server_state::declined);
  return offer_refused{word, std::move(why)};
}

std::optional<server_event> server::state::take_body() {
  if (unread_body.empty()) {
    unread_body = in.some(run.left());
    took(unread_body.size());
  }
  auto slice = body->next(unread_body);
  if (!slice) {
    error why = std::move(slice).error();
    spoil(why.message(), verdict::fail);
    return body_damaged{std::move(why)};
  }
  if (*slice) return body_received{**slice};
  if (!body->complete()) return server_needs_input{};
  enter(server_state::finishing);
  return body_complete{};
}

// Octets of the run came; each window of its minimum rate is a new wait.
void server::state::took(std::size_t count) {
  if (run.take(count)) ++steps;
}

void server::state::spoil(std::string note, verdict answer) {
  unread_body = {};
  spoiled_note = std::move(note);
  spoiled_verdict = answer;
  enter(server_state::spoiled);
  if (run.left() == 0) dropped();
}

std::optional<server_event> server::state::drop() {
  const std::size_t taken = in.some(run.left()).size();
  took(taken);
  if (run.left() > 0 && taken == 0) return server_needs_input{};
  if (run.left() > 0) return std::nullopt;
  if (now == server_state::oversized)
    return refuse(
        {fault::peer, "header-limit", "",
         fmt::format("the header block is more than {} octets", options.bounds.header_block)});
  dropped();
  return std::nullopt;
}

void server::state::dropped() {
  if (now == server_state::spoiled) {
    write_note(spoiled_note);
    out.line(to_string(spoiled_verdict));
  }
  settle(server_state::ready);
}

// A handler that talks without end costs neither side memory (docs/delivery.md section 9).
void server::state::write_note(std::string_view text) {
  std::string clean = wire::clean_text(text, grammar::max_text);
  if (clean.empty() || notes == options.bounds.notes) return;
  if (++notes == options.bounds.notes) clean = "more was said and is left out";
  out.line(fmt::format("NOTE {}", clean));
}

void server::state::write_result(const recipient_result& r) {
  std::string line = grammar::format_result(r.what, r.recipient.text(), r.text);
  if (recipients.erase(r.recipient.key()) == 0) return write_note(line);
  out.line(line);
}

server::server(server_options options) : state_(std::make_unique<state>(std::move(options))) {}
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;
server::~server() = default;

// What comes after the end is dropped: what was fed before may be gone.
void server::receive(octets input) {
  if (!is_closed()) state_->in.feed(input);
}
void server::receive_eof() { state_->in.finish(); }

server_event server::next_event() {
  state& s = *state_;
  if (s.now != server_state::closed && s.out.size() > s.options.bounds.pending_output) {
    s.in.keep();
    return server_waits{};
  }
  auto event = s.step();
  while (!event) event = s.step();
  const bool starved = std::holds_alternative<server_needs_input>(*event);
  if (starved && s.in.finished()) return s.end_of_input();
  if (starved || std::holds_alternative<server_waits>(*event)) s.in.keep();
  return std::move(*event);
}

result<void> server::answer(const header_answer& answer) {
  state& s = *state_;
  if (s.now != server_state::judging) return out_of_turn("answer");
  if (answer.what == header_answer::kind::drop) {
    s.enter(server_state::closed);
    return {};
  }
  const auto each = [&](const std::vector<address>& those, outcome what) {
    for (const address& a : those)
      if (s.mine(a)) s.write_result({a, what, ""});
  };
  each(answer.already, outcome::ok);
  each(answer.unknown, outcome::no_recipient);
  if (!answer.unknown.empty()) {  // whatever the caller said: docs/delivery.md section 5
    s.out.line(grammar::format_refusal(true, to_string(reason::recipients), answer.text));
    s.settle(server_state::declined);
    return {};
  }
  switch (answer.what) {
    case header_answer::kind::accept:
      s.out.line("ACCEPT");
      s.body.emplace(*s.header);
      s.enter(server_state::accepted);
      return {};
    case header_answer::kind::drop:
    case header_answer::kind::verdict:
      s.out.line(to_string(answer.final_verdict));
      break;
    case header_answer::kind::reject:
    case header_answer::kind::defer:
      s.out.line(grammar::format_refusal(answer.what == header_answer::kind::reject,
                                         to_string(answer.why), answer.text));
  }
  s.settle(server_state::declined);
  return {};
}

result<void> server::lapse() {
  if (state_->now != server_state::accepted) return out_of_turn("lapse");
  state_->out.line(grammar::format_refusal(false, to_string(reason::lapsed), ""));
  state_->settle(server_state::declined);
  return {};
}

result<void> server::abandon(const error& why) {
  if (state_->now != server_state::body && state_->now != server_state::finishing)
    return out_of_turn("abandon");
  const bool later = why.kind != fault::peer && why.kind != fault::refused;
  state_->spoil(told(why), later ? verdict::defer : verdict::fail);
  return {};
}

result<void> server::report(const recipient_result& r) {
  if (state_->now != server_state::finishing) return out_of_turn("report");
  state_->write_result(r);
  return {};
}

result<void> server::note(std::string_view text) {
  if (state_->now != server_state::finishing) return out_of_turn("note");
  state_->write_note(text);
  return {};
}

result<void> server::conclude(delivery::verdict v) {
  if (state_->now != server_state::finishing) return out_of_turn("conclude");
  state_->out.line(to_string(v));
  state_->settle(server_state::ready);
  return {};
}

void server::stop() {
  state& s = *state_;
  s.stopping = true;
  if (s.one_of({server_state::ready, server_state::declined})) s.settle(s.now);
}

octets server::pending_output() const noexcept { return state_->out.pending(); }
void server::sent(std::size_t count) { state_->out.sent(count); }
std::uint64_t server::step() const noexcept { return state_->steps; }
bool server::is_closed() const noexcept { return state_->now == server_state::closed; }
bool server::accept_pending() const noexcept { return state_->now == server_state::accepted; }

std::optional<std::chrono::milliseconds> server::timeout() const {
  const limits& bounds = state_->options.bounds;
  switch (state_->now) {
    case server_state::ready:
    case server_state::declined:
      return bounds.idle;
    case server_state::accepted:
      return bounds.accept_lapse;
    case server_state::header:
      return bounds.line;
    case server_state::body:
    case server_state::spoiled:
    case server_state::oversized:
    case server_state::dropping:
      return bounds.body_grace;
    case server_state::judging:
    case server_state::finishing:
    case server_state::closed:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace ima::delivery
