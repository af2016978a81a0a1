#include "retrieval/reply_grammar.hpp"
#include "retrieval/server_state.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// What the post office answers becomes octets, in the order that states.hpp allows.

namespace ima::retrieval {

result<void> server::state::expect_line(line kind) {
  if (!in_hand || !may_answer(in_hand->what, kind)) return out_of_turn("no such line answers this");
  if (in_hand->what == command::folders || in_hand->what == command::send) return {};
  if (in_hand->lines_left == 0) return out_of_turn("every line of this answer was given");
  --in_hand->lines_left;
  return {};
}

result<void> server::state::expect_end(ending kind) {
  if (!in_hand || in_hand->what == command::auth || rules_of(in_hand->what).end != kind)
    return out_of_turn("this does not end the request in hand");
  const count lines = rules_of(in_hand->what).lines_count;
  const bool kept = in_hand->body == body_phase::over && !in_hand->cancelled;
  const bool whole =
      (lines != count::each_id || in_hand->lines_left == 0) &&
      (in_hand->what != command::append || kept) &&
      (in_hand->what != command::fetch || (in_hand->part_begun && in_hand->octets_left == 0)) &&
      !body_is_due();
  if (!whole) return out_of_turn("the answer is not complete");
  return {};
}

void server::state::finish_request() {
  // A message that was answered without ACCEPT may be followed by its body all the same.
  body_refused = in_hand->body == body_phase::offered || in_hand->body == body_phase::awaited;
  dropping = in_hand->body == body_phase::flowing && run.left() > 0;
  in_hand.reset();
  ++steps;
  say_events();
}

void server::state::end_request(std::string_view text) {
  output.line(text);
  finish_request();
}

// The third wrong proof closes.
result<void> server::state::refuse_proof() {
  if (++auth_failures < options.bounds.auth_failures) return {};
  close(error{fault::peer, "auth-failures", "", "too many failed proofs"});
  return {};
}

// Not into output that nobody takes: there they would pile up, and here the latest is enough.
void server::state::say_events() {
  if (in_hand || output.size() > options.bounds.pending_output) return;
  for (const watched_folder& e : events)
    if (watched.contains(e.folder)) output.line(write_event(e));
  events.clear();
}

void server::event(const watched_folder& now) {
  auto& events = state_->events;
  std::erase_if(events, [&](const watched_folder& e) { return e.folder == now.folder; });
  events.push_back(now);
  state_->say_events();
}

result<void> server::authenticated() {
  if (!state_->in_hand || state_->in_hand->what != command::auth)
    return out_of_turn("no proof is waiting");
  state_->now = phase::authenticated;
  state_->input.set_max_line(state_->options.bounds.request_line);
  state_->end_request("OK");
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

result<void> server::found(std::string_view id) {
  IMA_CHECK(state_->expect_line(line::found));
  state_->output.line(fmt::format("FOUND {}", id));
  return {};
}

result<void> server::queued(const queued_message& m) {
  IMA_CHECK(state_->expect_line(line::queued));
  state_->output.line(write_queued(m));
  return {};
}

result<void> server::accept(std::uint64_t body) {
  auto& hand = state_->in_hand;
  if (!hand || hand->body != body_phase::offered) return out_of_turn("no message is offered");
  hand->body = body_phase::awaited;
  hand->body_size = body;
  state_->output.line("ACCEPT");
  ++state_->steps;
  return {};
}

result<void> server::outcome(const recipient_outcome& o) {
  IMA_CHECK(state_->expect_line(line::outcome));
  if (state_->body_is_due()) return out_of_turn("the message has not come yet");
  state_->output.line(write_outcome(o));
  return {};
}

result<void> server::note(std::string_view host, std::string_view text) {
  IMA_CHECK(state_->expect_line(line::note));
  if (state_->body_is_due()) return out_of_turn("the message has not come yet");
  state_->output.line(write_note(host, text));
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
  if (state_->in_hand->what == command::watch) {
    state_->watched.clear();
    for (watched_folder& f : state_->in_hand->watched) state_->watched.insert(std::move(f.folder));
  }
  state_->end_request("OK");
  return {};
}

result<void> server::ok(const folder_status& status) {
  IMA_CHECK(state_->expect_end(ending::status));
  state_->end_request(write_ok(status));
  return {};
}

result<void> server::ok(std::string_view token, bool more) {
  IMA_CHECK(state_->expect_end(ending::token));
  state_->end_request(write_ok(token, more));
  return {};
}

result<void> server::ok(const quota_status& status) {
  IMA_CHECK(state_->expect_end(ending::quota));
  state_->end_request(write_ok(status));
  return {};
}

result<void> server::ok(const send_end& end) {
  IMA_CHECK(state_->expect_end(ending::verdict));
  state_->end_request(write_ok(end));
  return {};
}

result<void> server::ok_id(std::string_view id) {
  IMA_CHECK(state_->expect_end(ending::id));
  state_->end_request(fmt::format("OK {}", id));
  return {};
}

result<void> server::ok_cursor(std::string_view cursor) {
  IMA_CHECK(state_->expect_end(ending::cursor));
  state_->end_request(cursor.empty() ? "OK" : fmt::format("OK {}", cursor));
  return {};
}

result<void> server::fail(reason why, std::string_view text) {
  auto& hand = state_->in_hand;
  if (!hand || hand->part_begun) return out_of_turn("nothing can be refused now");
  const bool proof =
      hand->what == command::auth || (hand->what == command::password && why == reason::auth);
  state_->end_request(write_failure(why, text));
  return proof ? state_->refuse_proof() : result<void>();
}

result<void> server::dismiss(std::string_view text) {
  if (!state_->in_hand || state_->in_hand->part_begun) return out_of_turn("nothing can be refused");
  state_->end_request(write_failure(reason::auth, text));
  state_->close({});
  return {};
}

}  // namespace ima::retrieval
