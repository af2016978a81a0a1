#include "retrieval/responder_state.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// APPEND and SEND: a message that the client brings (docs/retrieval.md sections 5.11 and 5.16).

namespace ima::retrieval {

namespace {

constexpr std::size_t piece_size = 64 * 1024;

// A broken part is the client's doing; everything else is the store's.
error damage(error why) {
  if (why.kind != fault::peer) return why;
  return refusal(reason::damaged, why.message());
}

}  // namespace

std::uint64_t incoming_message::uploaded() const {
  std::uint64_t size = header.body_size();
  for (const auto& source : had)
    if (source) size -= source->size();
  return size;
}

result<header_block> responder::state::read_block(octets block) const {
  auto header = header_block::parse(block, session.bounds());
  if (header) return header;
  const bool large = header.error().rule == "body-limit";
  return refusal(large ? reason::limit : reason::header, header.error().message());
}

result<void> responder::state::answer(request::append& r) {
  if (message) return take_in();
  IMA_TRY(header, read_block(r.block));
  r.block = {};
  IMA_TRY(sink, mail->append(r.what, header));
  message.emplace(header);
  message->had.resize(header.parts().size());
  message->sink = std::move(sink);
  return session.accept(header.body_size());
}

result<void> responder::state::answer(request::send& r) {
  if (message && message->sent) {
    finished = true;
    return session.ok(*message->sent);
  }
  if (message) return take_in();
  IMA_TRY(header, read_block(r.block));
  r.block = {};
  message.emplace(header);
  IMA_CHECK(open_references(r.options));
  IMA_TRY(outbound, mail->send(r.options, header));
  if (const auto* known = outbound->known()) return tell_known(*known);
  message->outbound = std::move(outbound);
  return session.accept(message->uploaded());
}

result<void> responder::state::open_references(const send_options& options) {
  message->had.resize(message->header.parts().size());
  for (const part_reference& p : options.parts) {
    IMA_CHECK(check_reference(p));
    IMA_TRY(source, mail->open_part(p.from.folder, p.from.id, p.source));
    message->had[static_cast<std::size_t>(p.part - 1)] = std::move(source);
  }
  return {};
}

// The two parts must be the same octets, which their header blocks say.
result<void> responder::state::check_reference(const part_reference& p) {
  if (p.part > message->header.parts().size())
    return refusal(reason::no_part, fmt::format("the message has no part {}", p.part));
  IMA_TRY(stored, mail->header(p.from.folder, p.from.id));
  if (!stored) return refusal(reason::no_message, "a message that a part refers to is not there");
  IMA_TRY(header, header_block::parse(stored->header, session.bounds()));
  const bool there = p.source <= header.parts().size();
  const part_info& wanted = message->header.parts()[static_cast<std::size_t>(p.part - 1)];
  if (!there || header.parts()[static_cast<std::size_t>(p.source - 1)].sha256 != wanted.sha256 ||
      header.parts()[static_cast<std::size_t>(p.source - 1)].size != wanted.size)
    return refusal(reason::no_part, fmt::format("part {} is another than it refers to", p.part));
  return {};
}

result<void> responder::state::tell_known(const submission::report& known) {
  for (const recipient_outcome& o : known.outcomes) IMA_CHECK(session.outcome(o));
  finished = true;
  return session.ok(known.end);
}

// What the client gave since the last time goes on; at the end the message is kept or sent.
result<void> responder::state::take_in() {
  if (message->end && message->end->cancelled)
    return refusal(reason::cancelled, "taken back by the client");
  octets input(message->piece);
  IMA_CHECK(write_from(input));
  message->piece.clear();
  if (!message->end) return {};
  IMA_TRY(whole, body_is_whole());
  if (!whole) return refusal(reason::damaged, "the parts are shorter than announced");
  return message->sink ? finish_append() : finish_send();
}

result<bool> responder::state::body_is_whole() {
  octets nothing;
  IMA_CHECK(write_from(nothing));  // parts at the end that the client does not send
  return message->body.complete();
}

// Gives the body reader the client's octets, and in between the parts that are here already.
result<void> responder::state::write_from(octets& input) {
  for (;;) {
    IMA_CHECK(write_had_parts());
    auto slice = message->body.next(input);
    if (!slice) return damage(std::move(slice).error());
    if (!*slice) return {};
    IMA_CHECK(message->write(**slice));
    if ((*slice)->last()) message->part = (*slice)->part() + 1;
  }
}

result<void> responder::state::write_had_parts() {
  auto& had = message->had;
  while (message->part < had.size() && had[message->part]) {
    const auto source = std::move(had[message->part]);
    IMA_CHECK(write_had_part(*source));
    ++message->part;
  }
  return {};
}

result<void> responder::state::write_had_part(part_source& source) {
  std::vector<char> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, source.size())));
  std::uint64_t at = 0;
  do {
    IMA_TRY(count, source.read_at(at, buffer));
    if (count == 0 && at < source.size())
      return error{fault::temporary, "part-short", "", "the stored part is too short"};
    at += count;
    octets piece(buffer.data(), count);
    for (;;) {
      auto slice = message->body.next(piece);
      if (!slice) return damage(std::move(slice).error());
      if (!*slice) break;
      IMA_CHECK(message->write(**slice));
      if ((*slice)->last()) break;
    }
  } while (at < source.size());
  return {};
}

result<void> responder::state::finish_append() {
  IMA_TRY(id, message->sink->commit());
  finished = true;
  return session.ok_id(id);
}

// While finish() waits for hosts, what they say goes to the session by way of the hook; the end is
// said by the next work().
result<void> responder::state::finish_send() {
  const auto with_session = [this](std::function<void()> action) {
    if (hooks.with_session)
      hooks.with_session(std::move(action));
    else
      action();
  };
  server* const said = &session;
  IMA_TRY(end, message->outbound->finish(
                   [&](const recipient_outcome& o) {
                     // An outcome too many is the back end's mistake, and is left out.
                     with_session([said, o] { (void)said->outcome(o); });
                   },
                   [&](std::string_view host, std::string_view text) {
                     with_session([said, h = std::string(host), t = std::string(text)] {
                       (void)said->note(h, t);
                     });
                   }));
  message->sent = std::move(end);
  return {};
}

result<void> responder::take(const body_octets& piece) {
  auto& message = state_->message;
  if (!message || message->end) return error{fault::caller, "out-of-turn", "", "no body is due"};
  message->piece += piece.bytes;
  return {};
}

result<void> responder::take(const body_end& end) {
  auto& message = state_->message;
  if (!message || message->end) return error{fault::caller, "out-of-turn", "", "no body is due"};
  message->end = end;
  return {};
}

}  // namespace ima::retrieval
