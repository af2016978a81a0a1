#include "retrieval/reply_grammar.hpp"
#include "retrieval/server_state.hpp"

#include <fmt/format.h>

#include <utility>

// The client's octets become requests. How requests are answered is in server_answers.cpp.

namespace ima::retrieval {

namespace {

// How many messages a request names.
std::uint64_t named_messages(const any_request& request) {
  return std::visit(
      [](const auto& r) -> std::uint64_t {
        if constexpr (requires { r.ids; }) return r.ids.size();
        return 0;
      },
      request);
}

error stopping() { return refusal(reason::shutdown, "the server is stopping"); }

bool offers_body(command c) noexcept { return c == command::append || c == command::send; }

// Puts the octets that followed the line into the request.
struct fill {
  octets counted;
  std::size_t old_password;

  void operator()(request::authenticate& r) const { r.password = secret(counted); }
  void operator()(request::password& r) const {
    r.old_password = secret(counted.substr(0, old_password));
    r.new_password = secret(counted.substr(old_password));
  }
  void operator()(request::append& r) const { r.block = counted; }
  void operator()(request::send& r) const { r.block = counted; }
  template <class Other>
  void operator()(Other&) const {}
};

}  // namespace

server::state::state(server_options o) : options(std::move(o)), input(options.bounds.wire_line) {
  output.line(write_greeting(options.host, options.capabilities));
}

void server::state::refuse(const error& why) {
  output.line(write_failure(reason_for(why), why.text));
}

void server::state::close(std::optional<error> why) {
  now = phase::closed;
  in_hand.reset();
  awaiting_octets.reset();
  why_closed = std::move(why);
}

bool server::state::body_is_due() const noexcept {
  return in_hand && (in_hand->body == body_phase::awaited || in_hand->body == body_phase::flowing);
}

bool server::state::between_requests() const noexcept {
  return input.empty() && !awaiting_octets && !dropping && !in_hand;
}

server_event server::state::next() {
  for (;;) {
    if (now == phase::closed) return closed{why_closed};
    const bool waits = in_hand && !body_is_due();
    if (waits || (!in_hand && output.size() > options.bounds.pending_output)) {
      input.keep();
      return paused{};
    }
    if (auto event = advance()) return std::move(*event);
  }
}

// One line or one run of octets; nothing where it made no event.
std::optional<server_event> server::state::advance() {
  if (dropping) return take_dropped();
  if (in_hand) return in_hand->body == body_phase::flowing ? take_body() : take_body_line();
  return awaiting_octets ? take_counted() : take_line();
}

// Not enough octets are there: more must come, unless none will.
server_event server::state::starve() {
  const bool idle = between_requests();
  if (input.finished()) {
    std::optional<error> why;
    if (!idle) why = error{fault::peer, "truncated", "", "the client went away inside a request"};
    close(std::move(why));
    return closed{why_closed};
  }
  if (shutting_down && !in_hand) return give_up();
  input.keep();
  return need_input{};
}

// What has not come whole was not begun. A line that was is answered, so that its client knows.
server_event server::state::give_up() {
  if (awaiting_octets) refuse(stopping());
  close({});
  return closed{};
}

std::optional<server_event> server::state::take_counted() {
  const auto octets = input.exactly(static_cast<std::size_t>(*awaiting_octets->counted));
  if (!octets) return starve();
  parsed_request parsed = *std::exchange(awaiting_octets, std::nullopt);
  std::visit(fill{*octets, parsed.old_password}, parsed.request);
  return hand_over(std::move(parsed));
}

std::optional<server_event> server::state::broken_framing(const error& why) {
  refuse(refusal(reason::framing, why.text));
  close(why);
  return std::nullopt;
}

std::optional<server_event> server::state::take_line() {
  auto text = input.line();
  if (!text) {
    error why = std::move(text).error();
    refuse(refusal(reason::framing, fmt::format("{}: {}", why.rule, why.text)));
    close(std::move(why));
    return std::nullopt;
  }
  if (!*text) return starve();
  if (now == phase::authenticated) ++steps;  // a stranger has one deadline for all that he says
  auto parsed = parse_request(**text, options.bounds);
  if (parsed) return begin(*std::move(parsed));
  if (reason_for(parsed.error()) == reason::framing)
    return broken_framing({fault::peer, "request-framing", "", parsed.error().text});
  body_refused = false;
  refuse(parsed.error());
  return std::nullopt;
}

// The request is well-formed; is it legal now?
std::optional<server_event> server::state::begin(parsed_request parsed) {
  if (parsed.what == command::data || parsed.what == command::cancel) return stray_body(parsed);
  body_refused = false;
  if (parsed.what == command::done) {
    close({});
    return std::nullopt;
  }
  if (refuse_now(parsed)) return std::nullopt;
  if (!parsed.counted) return hand_over(std::move(parsed));
  awaiting_octets = std::move(parsed);
  return std::nullopt;
}

// Answers what is not legal now; its counted octets are dropped and not kept.
bool server::state::refuse_now(const parsed_request& parsed) {
  if (!is_legal(parsed.what, now)) {
    refuse(refusal(reason::state,
                   now == phase::authenticated ? "already authenticated" : "authenticate first"));
    run = wire::paced_run(parsed.counted.value_or(0), options.bounds);
    dropping = run.left() > 0;
    body_refused = offers_body(parsed.what);
    return true;
  }
  if (!shutting_down) return false;
  refuse(stopping());
  close({});
  return true;
}

// DATA or CANCEL with no message accepted.
std::optional<server_event> server::state::stray_body(const parsed_request& parsed) {
  if (!std::exchange(body_refused, false))
    return broken_framing({fault::peer, "request-framing", "", "no message was offered"});
  run = wire::paced_run(parsed.counted.value_or(0), options.bounds);
  dropping = run.left() > 0;
  return std::nullopt;
}

std::optional<server_event> server::state::take_dropped() {
  const octets some = input.some(run.left());
  if (some.empty()) return starve();
  if (run.take(some.size())) ++steps;
  dropping = run.left() > 0;
  return std::nullopt;
}

std::optional<server_event> server::state::take_body_line() {
  auto text = input.line();
  if (!text) return broken_framing(text.error());
  if (!*text) return starve();
  auto parsed = parse_request(**text, options.bounds);
  const bool data = parsed && parsed->what == command::data;
  const bool cancel = parsed && parsed->what == command::cancel;
  if (!cancel && !(data && parsed->counted == in_hand->body_size))
    return broken_framing({fault::peer, "request-framing", "",
                           "after ACCEPT comes DATA with the octets announced, or CANCEL"});
  ++steps;
  in_hand->cancelled = cancel;
  run = wire::paced_run(cancel ? 0 : in_hand->body_size, options.bounds);
  in_hand->body = body_phase::flowing;
  return std::nullopt;
}

std::optional<server_event> server::state::take_body() {
  if (run.left() == 0) {
    in_hand->body = body_phase::over;
    return body_end{in_hand->cancelled};
  }
  const octets some = input.some(run.left());
  if (some.empty()) return starve();
  if (run.take(some.size())) ++steps;
  return body_octets{some};
}

server_event server::state::hand_over(parsed_request parsed) {
  request_in_hand hand{parsed.what};
  hand.lines_left = named_messages(parsed.request);
  if (const auto* changes = std::get_if<request::changes>(&parsed.request))
    hand.lines_left = changes->page;
  if (const auto* search = std::get_if<request::search>(&parsed.request))
    hand.lines_left = search->page;
  if (parsed.what == command::queue) hand.lines_left = options.bounds.queued;
  if (const auto* watch = std::get_if<request::watch>(&parsed.request))
    hand.watched = watch->folders;
  if (offers_body(parsed.what)) hand.body = body_phase::offered;
  if (const auto* fetch = std::get_if<request::fetch>(&parsed.request)) {
    hand.id = fetch->id;
    hand.part = fetch->part;
  }
  in_hand = std::move(hand);
  input.keep();
  return std::move(parsed.request);
}

server::server(server_options options) : state_(std::make_unique<state>(std::move(options))) {}
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;
server::~server() = default;

// What comes after the end is dropped: what was fed before may be gone.
void server::receive(octets input) {
  if (state_->now != phase::closed) state_->input.feed(input);
}
void server::receive_eof() { state_->input.finish(); }
result<server_event> server::next_event() { return state_->next(); }

void server::shut_down() { state_->shutting_down = true; }

octets server::pending_output() const noexcept { return state_->output.pending(); }

void server::sent(std::size_t count) {
  state_->output.sent(count);
  if (!state_->events.empty()) state_->say_events();
}

bool server::output_full() const noexcept {
  return state_->output.size() > state_->options.bounds.pending_output;
}

std::uint64_t server::step() const noexcept { return state_->steps; }

std::optional<std::chrono::milliseconds> server::timeout() const noexcept {
  const limits& bounds = state_->options.bounds;
  const bool flows =
      state_->dropping || (state_->in_hand && state_->in_hand->body == body_phase::flowing);
  if (flows) return bounds.body_grace;
  if (state_->output.size() > 0 || state_->body_is_due()) return bounds.line;
  if (state_->in_hand || state_->now == phase::closed) return std::nullopt;
  if (!state_->between_requests() || state_->now != phase::authenticated) return bounds.line;
  return state_->watched.empty() ? bounds.idle : bounds.watching;
}

void server::time_out() {
  if (state_->now != phase::closed)
    state_->close(error{fault::peer, "timeout", "", "the client took too long"});
}

bool server::is_authenticated() const noexcept { return state_->now == phase::authenticated; }
const limits& server::bounds() const noexcept { return state_->options.bounds; }

}  // namespace ima::retrieval
