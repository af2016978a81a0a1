#include "retrieval/client_state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

// What the post office says becomes events, or the error that ends the connection.

namespace ima::retrieval {

namespace {

error reply_order(std::string_view why) {
  return error{fault::peer, "reply-order", "", std::string(why)};
}

error reply_limit(std::string_view why) {
  return error{fault::peer, "reply-limit", "", std::string(why)};
}

constexpr std::size_t no_octets = 0;

}  // namespace

result<client_event> client::state::next() {
  if (broken) return *broken;
  for (;;) {
    auto event = step();
    if (!event) return *(broken = std::move(event).error());
    if (*event) return std::move(**event);
  }
}

// One line or one run of octets; nothing where a line made no event.
client::state::event_or_none client::state::step() {
  if (part_left != no_octets) {
    const octets bytes = input.some(part_left);
    part_left -= bytes.size();
    if (!bytes.empty()) return std::optional<client_event>(reply::part_octets{bytes});
  } else if (awaited_header) {
    if (auto event = take_header()) return event;
  } else {
    IMA_TRY(text, input.line());
    if (text) return take_line(*text);
  }
  IMA_TRY(event, starve());
  return std::optional<client_event>(std::move(event));
}

result<client_event> client::state::starve() {
  if (!input.finished()) {
    input.keep();
    return client_event(reply::need_input{});
  }
  if (outstanding.empty() && input.empty() && greeted) return client_event(reply::closed{});
  return error{fault::unknown, "connection-lost", "", "the connection ended before the answer"};
}

std::optional<client_event> client::state::take_header() {
  const auto block = static_cast<std::size_t>(awaited_header->block);
  const auto record = static_cast<std::size_t>(awaited_header->record);
  const auto both = input.exactly(block + record);
  if (!both) return std::nullopt;
  const header_line h = *std::exchange(awaited_header, std::nullopt);
  return reply::header{h.id, both->substr(0, block), both->substr(block)};
}

client::state::event_or_none client::state::take_line(std::string_view text) {
  if (!greeted) {
    IMA_TRY(greeting, parse_greeting(text, options.host));
    greeted = true;
    return std::optional<client_event>(std::move(greeting));
  }
  IMA_TRY(reply, parse_reply(text));
  const bool event = std::holds_alternative<reply::event>(reply);
  if (outstanding.empty() && !event) return reply_order("a reply that nobody asked for");
  IMA_TRY(out, std::visit([this](auto& r) { return accept(std::move(r)); }, reply));
  const bool end = out && std::holds_alternative<reply::done>(*out);
  if (!event) answer_begun = !end;
  return std::move(out);
}

result<void> client::state::expect(line kind) {
  if (!may_answer(outstanding.front().what, kind))
    return reply_order("a line that does not answer the request");
  return {};
}

// Replies name the request's messages in its order: HEADERS and COPY every one, the others some.
result<void> client::state::match_id(std::string_view id) {
  asked& request = outstanding.front();
  const bool every = rules_of(request.what).lines_count == count::each_id;
  const auto first = request.ids.begin() + static_cast<std::ptrdiff_t>(request.at);
  const auto last = every && first != request.ids.end() ? first + 1 : request.ids.end();
  const auto found = std::find(first, last, id);
  if (found == last) return reply_order("a message that was not asked for, or out of order");
  request.at = static_cast<std::size_t>(found - request.ids.begin()) + 1;
  return {};
}

// The same for lines that are counted.
result<void> client::state::expect_counted(line kind) {
  IMA_CHECK(expect(kind));
  if (outstanding.front().lines_left == 0) return reply_limit("more lines than the limit");
  --outstanding.front().lines_left;
  return {};
}

client::state::event_or_none client::state::accept(reply::folder r) {
  IMA_CHECK(expect_counted(line::folder));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::changed_entry r) {
  IMA_CHECK(expect_counted(line::change));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(header_line r) {
  IMA_CHECK(expect(line::header));
  IMA_CHECK(match_id(r.id));
  if (r.block > options.bounds.header_block || r.record > options.bounds.header_block)
    return reply_limit("a header block over the limit");
  awaited_header = std::move(r);
  return std::optional<client_event>();
}

client::state::event_or_none client::state::accept(reply::gone r) {
  IMA_CHECK(expect(line::gone));
  IMA_CHECK(match_id(r.id));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::changed r) {
  IMA_CHECK(expect(line::changed));
  IMA_CHECK(match_id(r.id));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::copied r) {
  IMA_CHECK(expect(line::copied));
  IMA_CHECK(match_id(r.id));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::part_begin r) {
  IMA_CHECK(expect(line::part));
  asked& request = outstanding.front();
  if (request.part_begun) return reply_order("a second PART");
  IMA_CHECK(match_id(r.id));
  if (r.part != request.part || r.offset != request.offset ||
      (request.length && r.length > *request.length))
    return reply_order("a part or range that was not asked for");
  request.part_begun = true;
  part_left = r.length;
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::accepted r) {
  IMA_CHECK(expect(line::accept));
  asked& request = outstanding.front();
  if (request.accepted || answer_begun) return reply_order("an ACCEPT too late");
  request.accepted = true;
  return std::optional<client_event>(r);
}

client::state::event_or_none client::state::accept(reply::found r) {
  IMA_CHECK(expect_counted(line::found));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::outcome r) {
  IMA_CHECK(expect(line::outcome));
  if (outstanding.front().recipients.erase(r.what.recipient.key()) == 0)
    return reply_order("a recipient that the message does not name, or twice");
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::note r) {
  IMA_CHECK(expect_counted(line::note));
  return std::optional<client_event>(std::move(r));
}

client::state::event_or_none client::state::accept(reply::queued r) {
  IMA_CHECK(expect_counted(line::queued));
  return std::optional<client_event>(std::move(r));
}

// Not an answer: it stands between two of them.
client::state::event_or_none client::state::accept(reply::event r) {
  if (!watching || answer_begun) return reply_order("an event that nobody watches for");
  return std::optional<client_event>(std::move(r));
}

result<void> client::state::check_whole(const asked& request) const {
  const bool each = rules_of(request.what).lines_count == count::each_id;
  const bool has_body = request.what == command::append || request.accepted;
  const bool given = !has_body || (request.accepted && (outstanding.size() > 1 || !body));
  const bool whole = (!each || request.at == request.ids.size()) &&
                     (request.what != command::fetch || request.part_begun) && given;
  if (!whole) return reply_order("OK before the answer is complete");
  return {};
}

// The first request is answered; a body that it announced and that has not begun is not due any
// more.
void client::state::end_first() {
  watching = watching || outstanding.front().watches;
  const bool offered =
      outstanding.front().what == command::append || outstanding.front().what == command::send;
  if (offered && outstanding.size() == 1 && body && !body->begun) body.reset();
  outstanding.pop_front();
}

namespace {

// Reads what stands behind `OK`.
result<void> read_end(ending kind, std::string_view words, reply::done& end) {
  switch (kind) {
    case ending::bare:
      break;
    case ending::status: {
      IMA_TRY(status, parse_status(words));
      end.status = std::move(status);
      return {};
    }
    case ending::token:
      return parse_token(words, end);
    case ending::id:
      return parse_id(words, end);
    case ending::cursor:
      return parse_cursor(words, end);
    case ending::quota:
      return parse_quota(words, end);
    case ending::verdict:
      return parse_verdict(words, end);
  }
  if (!words.empty()) return error{fault::peer, "reply-syntax", "", "something follows OK"};
  return {};
}

}  // namespace

client::state::event_or_none client::state::accept(ok_line r) {
  IMA_CHECK(check_whole(outstanding.front()));
  reply::done end;
  IMA_CHECK(read_end(rules_of(outstanding.front().what).end, r.words, end));
  end_first();
  return std::optional<client_event>(std::move(end));
}

client::state::event_or_none client::state::accept(reply::failure r) {
  if (outstanding.front().part_begun) return reply_order("a refusal after PART");
  outstanding.front().watches = false;
  end_first();
  reply::done end;
  end.failed = std::move(r);
  return std::optional<client_event>(std::move(end));
}

}  // namespace ima::retrieval
