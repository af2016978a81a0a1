#include "retrieval/reply_grammar.hpp"
#include "retrieval/request_grammar.hpp"
#include "retrieval/states.hpp"
#include "support/try.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"

#include <ima/retrieval/server.hpp>

#include <fmt/format.h>

#include <utility>

namespace ima::retrieval {

namespace {

error out_of_turn(std::string_view what) {
  return error{fault::caller, "out-of-turn", "", std::string(what)};
}

// How many messages a request names.
std::uint64_t named_messages(const any_request& request) {
  return std::visit(
      [](const auto& r) -> std::uint64_t {
        if constexpr (requires { r.ids; }) return r.ids.size();
        return 0;
      },
      request);
}

}  // namespace

// The request that waits for its answer, as far as the answer depends on it.
struct request_in_hand {
  command what;
  std::uint64_t lines_left = 0;  // at most so many reply lines may still come
  std::string id;                // FETCH
  std::uint64_t part = 0;
  bool part_begun = false;
  std::uint64_t octets_left = 0;
};

struct server::state {
  explicit state(server_options o) : options(std::move(o)), input(options.bounds.wire_line) {
    output.line(write_greeting(options.host));
  }

  server_event next();
  std::optional<server_event> take_password();
  std::optional<server_event> take_line();
  std::optional<server_event> judge(parsed_request parsed);
  server_event starve();
  server_event hand_over(command what, any_request request);

  result<void> expect_line(line kind);
  result<void> expect_end(ending kind);
  result<void> refuse_auth();
  void finish_request() { in_hand.reset(); }
  void refuse(const error& why) { output.line(write_failure(reason_for(why), why.text)); }
  void close(std::optional<error> why);

  server_options options;
  wire::input input;
  wire::output output;
  phase now = phase::unauthenticated;
  std::optional<parsed_request> awaiting_password;
  std::optional<request_in_hand> in_hand;
  std::size_t auth_failures = 0;
  bool shutting_down = false;
  std::optional<error> why_closed;
};

void server::state::close(std::optional<error> why) {
  now = phase::closed;
  in_hand.reset();
  awaiting_password.reset();
  why_closed = std::move(why);
}

server_event server::state::next() {
  for (;;) {
    if (now == phase::closed) return closed{why_closed};
    if (in_hand || output.size() > options.bounds.pending_output) {
      input.keep();
      return paused{};
    }
    auto event = awaiting_password ? take_password() : take_line();
    if (event) return std::move(*event);
  }
}

// Not enough octets are there: more must come, unless none will.
server_event server::state::starve() {
  const bool between_requests = input.empty() && !awaiting_password;
  if (input.finished()) {
    std::optional<error> why;
    if (!between_requests)
      why = error{fault::peer, "truncated", "", "the client went away inside a request"};
    close(std::move(why));
    return closed{why_closed};
  }
  if (shutting_down && between_requests) {
    close({});
    return closed{};
  }
  input.keep();
  return need_input{};
}

std::optional<server_event> server::state::take_password() {
  const auto password = input.exactly(*awaiting_password->password_size);
  if (!password) return starve();
  parsed_request parsed = *std::exchange(awaiting_password, std::nullopt);
  std::get<request::authenticate>(parsed.request).password = secret(*password);
  return judge(std::move(parsed));
}

std::optional<server_event> server::state::take_line() {
  auto text = input.line();
  if (!text) {
    const error& broken = text.error();
    refuse(refusal(reason::framing, fmt::format("{}: {}", broken.rule, broken.text)));
    close(broken);
    return std::nullopt;
  }
  if (!*text) return starve();
  auto parsed = parse_request(**text, options.bounds);
  if (!parsed) {
    refuse(parsed.error());
    if (reason_for(parsed.error()) == reason::framing)
      close(error{fault::peer, "request-framing", "", parsed.error().text});
    return std::nullopt;
  }
  if (parsed->password_size) {
    awaiting_password = *std::move(parsed);
    return std::nullopt;
  }
  return judge(*std::move(parsed));
}

// The request is well-formed; is it legal now?
std::optional<server_event> server::state::judge(parsed_request parsed) {
  if (parsed.what == command::done) {
    close({});
    return std::nullopt;
  }
  if (!is_legal(parsed.what, now)) {
    refuse(refusal(reason::state,
                   now == phase::authenticated ? "already authenticated" : "authenticate first"));
    return std::nullopt;
  }
  if (shutting_down) {
    refuse(refusal(reason::shutdown, "the server is stopping"));
    close({});
    return std::nullopt;
  }
  return hand_over(parsed.what, std::move(parsed.request));
}

server_event server::state::hand_over(command what, any_request request) {
  request_in_hand hand{what};
  hand.lines_left = named_messages(request);
  if (what == command::changes) hand.lines_left = std::get<request::changes>(request).page;
  if (const auto* fetch = std::get_if<request::fetch>(&request)) {
    hand.id = fetch->id;
    hand.part = fetch->part;
  }
  in_hand = std::move(hand);
  input.keep();
  return request;
}

result<void> server::state::expect_line(line kind) {
  if (!in_hand || !may_answer(in_hand->what, kind)) return out_of_turn("no such line answers this");
  if (in_hand->what == command::folders) return {};
  if (in_hand->lines_left == 0) return out_of_turn("every line of this answer was given");
  --in_hand->lines_left;
  return {};
}

result<void> server::state::expect_end(ending kind) {
  if (!in_hand || in_hand->what == command::auth || rules_of(in_hand->what).end != kind)
    return out_of_turn("this does not end the request in hand");
  const count lines = rules_of(in_hand->what).lines_count;
  const bool whole = (lines != count::each_id || in_hand->lines_left == 0) &&
                     (lines != count::one || (in_hand->part_begun && in_hand->octets_left == 0));
  if (!whole) return out_of_turn("the answer is not complete");
  return {};
}

result<void> server::state::refuse_auth() {
  if (++auth_failures < options.bounds.auth_failures) return {};
  close(error{fault::peer, "auth-failures", "", "too many failed proofs"});
  return {};
}

server::server(server_options options) : state_(std::make_unique<state>(std::move(options))) {}
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;
server::~server() = default;

void server::receive(octets input) { state_->input.feed(input); }
void server::receive_eof() { state_->input.finish(); }
result<server_event> server::next_event() { return state_->next(); }

result<void> server::authenticated() {
  if (!state_->in_hand || state_->in_hand->what != command::auth)
    return out_of_turn("no proof is waiting");
  state_->now = phase::authenticated;
  state_->input.set_max_line(state_->options.bounds.request_line);
  state_->output.line("OK");
  state_->finish_request();
  return {};
}

result<void> server::folder(const folder_info& f) {
  IMA_CHECK(state_->expect_line(line::folder));
  state_->output.line(write_folder(f));
  return {};
}

result<void> server::change_line(const change& c) {
  IMA_CHECK(state_->expect_line(line::change));
  state_->output.line(write_change(c));
  return {};
}

result<void> server::header(std::string_view id, const stored_header& h) {
  IMA_CHECK(state_->expect_line(line::header));
  state_->output.line(write_header(id, h.header.size(), h.record.size()));
  state_->output.raw(h.header);
  state_->output.raw(h.record);
  return {};
}

result<void> server::gone(std::string_view id) {
  IMA_CHECK(state_->expect_line(line::gone));
  state_->output.line(fmt::format("GONE {}", id));
  return {};
}

result<void> server::changed(std::string_view id) {
  IMA_CHECK(state_->expect_line(line::changed));
  state_->output.line(fmt::format("CHANGED {}", id));
  return {};
}

result<void> server::copied(std::string_view id, std::string_view new_id) {
  IMA_CHECK(state_->expect_line(line::copied));
  state_->output.line(fmt::format("COPIED {} {}", id, new_id));
  return {};
}

result<void> server::part_begin(std::uint64_t offset, std::uint64_t length) {
  auto& hand = state_->in_hand;
  if (!hand || !may_answer(hand->what, line::part) || hand->part_begun)
    return out_of_turn("no part is asked for");
  state_->output.line(write_part(hand->id, hand->part, offset, length));
  hand->part_begun = true;
  hand->octets_left = length;
  return {};
}

result<void> server::part_octets(octets piece) {
  auto& hand = state_->in_hand;
  if (!hand || !hand->part_begun) return out_of_turn("no part has begun");
  if (piece.size() > hand->octets_left)
    return error{fault::caller, "part-length", "", "more octets than were announced"};
  hand->octets_left -= piece.size();
  state_->output.raw(piece);
  return {};
}

result<void> server::part_broken(error why) {
  if (!state_->in_hand || !state_->in_hand->part_begun) return out_of_turn("no part has begun");
  state_->close(std::move(why));
  return {};
}

result<void> server::ok() {
  IMA_CHECK(state_->expect_end(ending::bare));
  state_->output.line("OK");
  state_->finish_request();
  return {};
}

result<void> server::ok(const folder_status& status) {
  IMA_CHECK(state_->expect_end(ending::status));
  state_->output.line(write_ok(status));
  state_->finish_request();
  return {};
}

result<void> server::ok(std::string_view token, bool more) {
  IMA_CHECK(state_->expect_end(ending::token));
  state_->output.line(write_ok(token, more));
  state_->finish_request();
  return {};
}

result<void> server::fail(reason why, std::string_view text) {
  auto& hand = state_->in_hand;
  if (!hand || hand->part_begun) return out_of_turn("nothing can be refused now");
  const bool proof = hand->what == command::auth;
  state_->output.line(write_failure(why, text));
  state_->finish_request();
  return proof ? state_->refuse_auth() : result<void>();
}

void server::shut_down() { state_->shutting_down = true; }

octets server::pending_output() const noexcept { return state_->output.pending(); }
void server::sent(std::size_t count) { state_->output.sent(count); }

bool server::output_full() const noexcept {
  return state_->output.size() > state_->options.bounds.pending_output;
}

std::optional<std::chrono::milliseconds> server::timeout() const noexcept {
  const limits& bounds = state_->options.bounds;
  if (state_->output.size() > 0) return bounds.line;
  if (state_->in_hand || state_->now == phase::closed) return std::nullopt;
  const bool between_requests = state_->input.empty() && !state_->awaiting_password;
  return between_requests && state_->now == phase::authenticated ? bounds.idle : bounds.line;
}

void server::time_out() {
  if (state_->now != phase::closed)
    state_->close(error{fault::peer, "timeout", "", "the client took too long"});
}

bool server::is_authenticated() const noexcept { return state_->now == phase::authenticated; }

}  // namespace ima::retrieval
