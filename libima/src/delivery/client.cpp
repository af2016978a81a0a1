#include "delivery/grammar.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"

#include <ima/delivery/client.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace ima::delivery {
namespace {

error caller_fault(std::string_view rule, std::string text) {
  return {fault::caller, rule, "", std::move(text)};
}

constexpr std::size_t flood = 100;  // times as many remarks as are heard

// One message on its way: who should get it and what came back.
struct offered_message {
  std::vector<recipient_result> results;                // in the order of the header block
  std::unordered_map<std::string, std::size_t> by_key;  // recipient to its place there
  std::vector<bool> reported;
  std::size_t notes = 0;
  bool accepted = false;
  bool cancelled = false;

  offered_message(const header_block& header, std::string_view host) {
    for (const address& a : header.recipients()) {
      if (a.host() != host) continue;
      by_key.emplace(a.key(), results.size());
      results.push_back({a, outcome::defer, ""});
    }
    reported.resize(results.size());
  }

  // False where the address is not one of this message or was reported before.
  bool report(const recipient_result& r) {
    const auto at = by_key.find(r.recipient.key());
    if (at == by_key.end() || reported[at->second]) return false;
    reported[at->second] = true;
    results[at->second].what = r.what;
    results[at->second].text = r.text;
    return true;
  }

  // Fills in the recipients without a line of their own (docs/delivery.md section 8).
  std::vector<recipient_result> complete(outcome others, std::string_view text) {
    for (std::size_t i = 0; i < results.size(); ++i)
      if (!reported[i]) results[i] = {results[i].recipient, others, std::string(text)};
    return std::move(results);
  }
};

outcome outcome_of(verdict v) {
  switch (v) {
    case verdict::ok:
      return outcome::ok;
    case verdict::fail:
      return outcome::fail;
    case verdict::partial:
    case verdict::defer:
      return outcome::defer;
  }
  return outcome::defer;
}

}  // namespace

struct client::state {
  client_options options;
  wire::input in;
  wire::output out;
  std::deque<offered_message> waiting;  // oldest first; the answers belong to the front
  std::uint64_t steps = 0;
  std::uint64_t body_left = 0;  // of the message offered last
  bool body_open = false;       // its DATA went out and body_left > 0
  bool undecided = false;       // its DATA or CANCEL is still to be sent
  bool greeted = false;
  bool said_done = false;
  bool closed = false;
  std::optional<error> problem;
  std::string server_said;  // the text of a CLOSE line

  explicit state(client_options o) : options(std::move(o)), in(options.bounds.wire_line) {}

  client_event close(std::optional<error> why) {
    closed = true;
    problem = std::move(why);
    return client_closed{problem};
  }
  client_event end_of_input();
  std::optional<client_event> greet(std::string_view line);
  std::optional<client_event> reply(std::string_view line);
  std::optional<client_event> read(const grammar::accept_line&);
  std::optional<client_event> read(const grammar::refusal_line& r);
  std::optional<client_event> read(const grammar::verdict_line& v);
  std::optional<client_event> read(const grammar::recipient_line& r);
  std::optional<client_event> read(const grammar::note_line& n);
  std::optional<client_event> read(const grammar::close_line& c);
  std::optional<client_event> note(std::string text);
  client_event unexpected(std::string_view what);
  bool too_early() const;
  void pop();
};

client_event client::state::unexpected(std::string_view what) {
  return close(error{fault::peer, "reply-order", "", fmt::format("{} out of place", what)});
}

// An accepted message has no results before its last octet is sent.
bool client::state::too_early() const {
  return waiting.size() == 1 && waiting.front().accepted && (undecided || body_open);
}

// The front is answered. If its body was not begun, it never will be.
void client::state::pop() {
  if (waiting.size() == 1) undecided = false;
  waiting.pop_front();
  ++steps;
}

client_event client::state::end_of_input() {
  const std::string said = server_said.empty() ? "" : fmt::format(", saying: {}", server_said);
  if (!waiting.empty())
    return close(
        error{fault::unknown, "no-verdict", "", "the connection ended before the verdict" + said});
  if (said_done || (greeted && server_said == "shutdown")) return close(std::nullopt);
  return close(error{fault::temporary, "closed", "", "the server closed the connection" + said});
}

std::optional<client_event> client::state::greet(std::string_view line) {
  auto parsed = grammar::parse_greeting(line);
  if (!parsed) return close(std::move(parsed).error());
  if (parsed->host != options.host)
    return close(
        error{fault::peer, "greeting", "",
              fmt::format("the server speaks for '{}', not for '{}'", parsed->host, options.host)});
  greeted = true;
  ++steps;
  return greeting_received{parsed->max_size, std::move(parsed->capabilities)};
}

std::optional<client_event> client::state::reply(std::string_view line) {
  const auto parsed = grammar::parse_reply(line);
  if (!parsed) return close(parsed.error());
  const bool needs_no_offer = std::holds_alternative<grammar::close_line>(*parsed) ||
                              std::holds_alternative<grammar::refusal_line>(*parsed);
  if (waiting.empty() && !needs_no_offer) return unexpected("a reply");
  return std::visit([this](const auto& r) { return read(r); }, *parsed);
}

std::optional<client_event> client::state::read(const grammar::accept_line&) {
  offered_message& message = waiting.front();
  if (std::exchange(message.accepted, true)) return unexpected("ACCEPT");
  if (message.cancelled) {
    pop();
    return std::nullopt;
  }
  ++steps;
  return offer_accepted{};
}

std::optional<client_event> client::state::read(const grammar::refusal_line& r) {
  const bool lapsed = !r.permanent && r.word == to_string(reason::lapsed);
  // A lapse that crossed our CANCEL belongs to a message that is done with.
  if (lapsed && (waiting.empty() || !waiting.front().accepted)) return std::nullopt;
  if (waiting.empty()) return unexpected("a refusal");
  offered_message& message = waiting.front();
  if (message.accepted && !lapsed) return unexpected("a refusal");
  offer_declined event{r.permanent, std::string(r.word), std::string(r.text), {}};
  const std::string_view gap = r.text.empty() ? "" : " ";
  event.results = message.complete(r.permanent ? outcome::fail : outcome::defer,
                                   fmt::format("{}{}{}", r.word, gap, r.text));
  const bool wanted = !message.cancelled;
  pop();
  if (!wanted) return std::nullopt;
  return event;
}

std::optional<client_event> client::state::read(const grammar::verdict_line& v) {
  if (too_early()) return unexpected("a verdict");
  offered_message& message = waiting.front();
  delivery_complete event{v.what, message.complete(outcome_of(v.what), "")};
  const bool wanted = !message.cancelled;
  pop();
  if (!wanted) return std::nullopt;
  return event;
}

std::optional<client_event> client::state::read(const grammar::recipient_line& r) {
  if (too_early()) return unexpected("a result");
  const recipient_result line{r.recipient, r.what, std::string(r.text)};
  if (waiting.front().report(line)) return recipient_reported{line};
  return note(grammar::format_result(r.what, r.recipient.text(), r.text));
}

// Remarks are a stranger's words without end, so only the first of them are heard.
std::optional<client_event> client::state::note(std::string text) {
  const std::size_t most = options.bounds.notes;
  const std::size_t count = ++waiting.front().notes;
  if ((count - 1) / flood >= std::max<std::size_t>(1, most))
    return close(error{fault::peer, "reply-flood", "",
                       fmt::format("the server said more than {} remarks", count - 1)});
  if (count > most) return std::nullopt;
  return note_received{count == most ? "more was said and is left out" : std::move(text)};
}

std::optional<client_event> client::state::read(const grammar::note_line& n) {
  return note(std::string(n.text));
}

std::optional<client_event> client::state::read(const grammar::close_line& c) {
  server_said = c.text;
  return end_of_input();
}

client::client(client_options options) : state_(std::make_unique<state>(std::move(options))) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

// What comes after the end is dropped: what was fed before may be gone.
void client::receive(octets input) {
  if (!state_->closed) state_->in.feed(input);
}
void client::receive_eof() { state_->in.finish(); }

client_event client::next_event() {
  state& s = *state_;
  while (!s.closed) {
    auto line = s.in.line();
    if (!line) return s.close(std::move(line).error());
    if (!*line) {
      if (s.in.finished()) return s.end_of_input();
      s.in.keep();
      return client_needs_input{};
    }
    auto event = s.greeted ? s.reply(**line) : s.greet(**line);
    if (event) return std::move(*event);
  }
  return client_closed{s.problem};
}

result<void> client::offer(const header_block& header) {
  state& s = *state_;
  if (s.closed || s.said_done || s.body_open || s.undecided)
    return caller_fault("out-of-turn", "another message is not wholly sent, or the session ended");
  s.out.line(fmt::format("MAIL {}", header.size()));
  s.out.raw(header.text());
  s.waiting.emplace_back(header, s.options.host);
  s.body_left = header.body_size();
  s.undecided = true;
  ++s.steps;
  return {};
}

result<void> client::data() {
  state& s = *state_;
  if (!s.undecided) return caller_fault("out-of-turn", "no message waits for its body");
  s.out.line(fmt::format("DATA {}", s.body_left));
  s.undecided = false;
  s.body_open = s.body_left > 0;
  ++s.steps;
  return {};
}

result<void> client::body(octets piece) {
  state& s = *state_;
  if (piece.empty()) return {};
  if (!s.body_open) return caller_fault("out-of-turn", "no body is open");
  if (piece.size() > s.body_left)
    return caller_fault("body-length", "more octets than the header block announced");
  s.out.raw(piece);
  s.body_left -= piece.size();
  s.body_open = s.body_left > 0;
  if (!s.body_open) ++s.steps;
  return {};
}

result<void> client::cancel() {
  state& s = *state_;
  if (!s.undecided) return caller_fault("out-of-turn", "no offer can be taken back");
  s.out.line("CANCEL");
  s.undecided = false;
  s.waiting.back().cancelled = true;
  if (s.waiting.back().accepted) s.pop();
  return {};
}

result<void> client::done() {
  state& s = *state_;
  if (s.closed || s.said_done || s.body_open || s.undecided)
    return caller_fault("out-of-turn", "a message is not wholly sent, or the session ended");
  s.out.line("DONE");
  s.said_done = true;
  return {};
}

octets client::pending_output() const noexcept { return state_->out.pending(); }
void client::sent(std::size_t count) { state_->out.sent(count); }
std::uint64_t client::step() const noexcept { return state_->steps; }

std::optional<std::chrono::milliseconds> client::timeout() const {
  const state& s = *state_;
  if (s.closed) return std::nullopt;
  if (!s.greeted) return s.options.bounds.line;
  if (s.waiting.empty() && s.said_done) return s.options.bounds.line;
  if (s.waiting.empty()) return std::nullopt;
  if (!s.waiting.front().accepted) return s.options.bounds.line;
  if (s.undecided || s.body_open) return std::nullopt;  // ours to go on
  return s.options.bounds.verdict;
}

}  // namespace ima::delivery
