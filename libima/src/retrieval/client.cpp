#include "retrieval/reply_grammar.hpp"
#include "retrieval/request_grammar.hpp"
#include "retrieval/states.hpp"
#include "support/try.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"

#include <ima/retrieval/client.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <type_traits>
#include <utility>

namespace ima::retrieval {

namespace {

// A request that was made, as far as its replies are judged by it.
struct asked {
  command what = command::done;
  std::vector<std::string> ids;  // named messages; replies name them in this order
  std::size_t at = 0;            // ids before this one have been answered or passed over
  std::uint64_t lines_left = 0;  // CHANGES: the page
  std::uint64_t part = 0;        // FETCH
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  bool part_begun = false;
};

error reply_order(std::string_view why) {
  return error{fault::peer, "reply-order", "", std::string(why)};
}

error reply_limit(std::string_view why) {
  return error{fault::peer, "reply-limit", "", std::string(why)};
}

error bad_argument(error why) {
  why.kind = fault::caller;
  return why;
}

constexpr std::size_t no_octets = 0;

}  // namespace

struct client::state {
  explicit state(client_options o) : options(std::move(o)), input(options.bounds.wire_line) {}

  // Requests.
  result<void> ask(std::string_view line, asked request);
  result<void> ask_for_ids(command c, std::string_view folder,
                           std::optional<std::string_view> target,
                           std::span<const std::string> ids);

  // Replies.
  result<client_event> next();
  result<std::optional<client_event>> step();
  result<client_event> starve();
  std::optional<client_event> take_header();
  result<std::optional<client_event>> take_line(std::string_view text);
  result<void> expect(line kind);
  result<void> match_id(std::string_view id);

  result<std::optional<client_event>> accept(reply::folder r);
  result<std::optional<client_event>> accept(reply::changed_entry r);
  result<std::optional<client_event>> accept(header_line r);
  result<std::optional<client_event>> accept(reply::gone r);
  result<std::optional<client_event>> accept(reply::changed r);
  result<std::optional<client_event>> accept(reply::copied r);
  result<std::optional<client_event>> accept(reply::part_begin r);
  result<std::optional<client_event>> accept(ok_line r);
  result<std::optional<client_event>> accept(reply::failure r);

  bool between_replies() const { return !awaited_header && part_left == no_octets; }

  client_options options;
  wire::input input;
  wire::output output;
  std::deque<asked> outstanding;
  bool greeted = false;
  bool said_done = false;
  std::optional<header_line> awaited_header;
  std::uint64_t part_left = 0;
  std::optional<error> broken;
};

result<void> client::state::ask(std::string_view line, asked request) {
  if (said_done) return error{fault::caller, "out-of-turn", "", "a request after done()"};
  if (outstanding.size() >= options.bounds.outstanding)
    return error{fault::caller, "out-of-turn", "", "too many requests without an answer"};
  if (line.size() >= options.bounds.request_line)
    return error{fault::caller, "request-length", "", "the request names too many messages"};
  output.line(line);
  outstanding.push_back(std::move(request));
  return {};
}

result<void> client::state::ask_for_ids(command c, std::string_view folder,
                                        std::optional<std::string_view> target,
                                        std::span<const std::string> ids) {
  IMA_TRY(text, write_ids_request(c, folder, target, ids));
  asked request{c};
  request.ids.assign(ids.begin(), ids.end());
  return ask(text, std::move(request));
}

result<client_event> client::state::next() {
  if (broken) return *broken;
  for (;;) {
    auto event = step();
    if (!event) return *(broken = std::move(event).error());
    if (*event) return std::move(**event);
  }
}

// One line or one run of octets; nothing where a line made no event.
result<std::optional<client_event>> client::state::step() {
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

result<std::optional<client_event>> client::state::take_line(std::string_view text) {
  if (!greeted) {
    IMA_TRY(greeting, parse_greeting(text, options.host));
    greeted = true;
    return std::optional<client_event>(std::move(greeting));
  }
  if (outstanding.empty()) return reply_order("a reply that nobody asked for");
  IMA_TRY(reply, parse_reply(text));
  return std::visit([this](auto& r) { return accept(std::move(r)); }, reply);
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

result<std::optional<client_event>> client::state::accept(reply::folder r) {
  IMA_CHECK(expect(line::folder));
  return std::optional<client_event>(std::move(r));
}

result<std::optional<client_event>> client::state::accept(reply::changed_entry r) {
  IMA_CHECK(expect(line::change));
  if (outstanding.front().lines_left == 0) return reply_limit("more lines than the page holds");
  --outstanding.front().lines_left;
  return std::optional<client_event>(std::move(r));
}

result<std::optional<client_event>> client::state::accept(header_line r) {
  IMA_CHECK(expect(line::header));
  IMA_CHECK(match_id(r.id));
  if (r.block > options.bounds.header_block || r.record > options.bounds.header_block)
    return reply_limit("a header block over the limit");
  awaited_header = std::move(r);
  return std::optional<client_event>();
}

result<std::optional<client_event>> client::state::accept(reply::gone r) {
  IMA_CHECK(expect(line::gone));
  IMA_CHECK(match_id(r.id));
  return std::optional<client_event>(std::move(r));
}

result<std::optional<client_event>> client::state::accept(reply::changed r) {
  IMA_CHECK(expect(line::changed));
  IMA_CHECK(match_id(r.id));
  return std::optional<client_event>(std::move(r));
}

result<std::optional<client_event>> client::state::accept(reply::copied r) {
  IMA_CHECK(expect(line::copied));
  IMA_CHECK(match_id(r.id));
  return std::optional<client_event>(std::move(r));
}

result<std::optional<client_event>> client::state::accept(reply::part_begin r) {
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

result<std::optional<client_event>> client::state::accept(ok_line r) {
  const asked& request = outstanding.front();
  const command_row& rules = rules_of(request.what);
  const bool whole = (rules.lines_count != count::each_id || request.at == request.ids.size()) &&
                     (rules.lines_count != count::one || request.part_begun);
  if (!whole) return reply_order("OK before the answer is complete");
  reply::done end;
  if (rules.end == ending::status) {
    IMA_TRY(status, parse_status(r.words));
    end.status = std::move(status);
  } else if (rules.end == ending::token) {
    IMA_CHECK(parse_token(r.words, end));
  } else if (!r.words.empty()) {
    return error{fault::peer, "reply-syntax", "", "something follows OK"};
  }
  outstanding.pop_front();
  return std::optional<client_event>(std::move(end));
}

result<std::optional<client_event>> client::state::accept(reply::failure r) {
  if (outstanding.front().part_begun) return reply_order("a refusal after PART");
  outstanding.pop_front();
  reply::done end;
  end.failed = std::move(r);
  return std::optional<client_event>(std::move(end));
}

client::client(client_options options) : state_(std::make_unique<state>(std::move(options))) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

result<void> client::authenticate(std::string_view user, octets password) {
  if (auto good = check_user(user); !good) return bad_argument(std::move(good).error());
  if (password.size() > state_->options.bounds.password)
    return error{fault::caller, "request-length", "", "the password is too long"};
  IMA_CHECK(
      state_->ask(fmt::format("AUTH {} PASSWORD {}", user, password.size()), asked{command::auth}));
  state_->output.raw(password);
  return {};
}

result<void> client::authenticate(std::string_view user) {
  if (auto good = check_user(user); !good) return bad_argument(std::move(good).error());
  return state_->ask(fmt::format("AUTH {} CERTIFICATE", user), asked{command::auth});
}

result<void> client::folders() { return state_->ask("FOLDERS", asked{command::folders}); }

result<void> client::status(std::string_view folder) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  return state_->ask(fmt::format("STATUS {}", folder_to_wire(folder)), asked{command::status});
}

result<void> client::changes(std::string_view folder, std::string_view token, std::uint64_t page) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  if (auto good = check_token(token); !good) return bad_argument(std::move(good).error());
  if (page == 0) return error{fault::caller, "page", "", "the page size is 0"};
  asked request{command::changes};
  request.lines_left = page;
  return state_->ask(fmt::format("CHANGES {} {} {}", folder_to_wire(folder), token, page),
                     std::move(request));
}

result<void> client::headers(std::string_view folder, std::span<const std::string> ids) {
  return state_->ask_for_ids(command::headers, folder, {}, ids);
}

result<void> client::fetch(std::string_view folder, std::string_view id, std::uint64_t part,
                           std::uint64_t offset, std::optional<std::uint64_t> length) {
  asked request{command::fetch, {std::string(id)}};
  IMA_TRY(text, write_ids_request(command::fetch, folder, {}, request.ids));
  if (part == 0) return error{fault::caller, "part", "", "parts count from 1"};
  text += fmt::format(" {}", part);
  // A range is written in full; to the end of the part is the largest length there is.
  if (offset != 0 || length) text += fmt::format(" {} {}", offset, length.value_or(UINT64_MAX));
  request.part = part;
  request.offset = offset;
  request.length = length;
  return state_->ask(text, std::move(request));
}

result<void> client::flag(std::string_view folder, std::span<const std::string> ids,
                          const flag_change& what) {
  IMA_TRY(text, write_ids_request(command::flag, folder, {}, ids));
  IMA_CHECK(append_flag_change(text, what));
  asked request{command::flag};
  request.ids.assign(ids.begin(), ids.end());
  return state_->ask(text, std::move(request));
}

result<void> client::remove(std::string_view folder, std::span<const std::string> ids) {
  return state_->ask_for_ids(command::remove, folder, {}, ids);
}

result<void> client::move(std::string_view folder, std::string_view target,
                          std::span<const std::string> ids) {
  return state_->ask_for_ids(command::move, folder, target, ids);
}

result<void> client::copy(std::string_view folder, std::string_view target,
                          std::span<const std::string> ids) {
  return state_->ask_for_ids(command::copy, folder, target, ids);
}

result<void> client::done() {
  if (state_->said_done) return error{fault::caller, "out-of-turn", "", "done() twice"};
  state_->output.line("DONE");
  state_->said_done = true;
  return {};
}

void client::receive(octets input) { state_->input.feed(input); }
void client::receive_eof() { state_->input.finish(); }
result<client_event> client::next_event() { return state_->next(); }

octets client::pending_output() const noexcept { return state_->output.pending(); }
void client::sent(std::size_t count) { state_->output.sent(count); }
std::size_t client::outstanding() const noexcept { return state_->outstanding.size(); }

std::optional<std::chrono::milliseconds> client::timeout() const noexcept {
  if (state_->broken) return std::nullopt;
  if (!state_->greeted) return state_->options.bounds.line;
  if (state_->outstanding.empty() && !state_->said_done) return std::nullopt;
  return state_->options.bounds.idle;
}

}  // namespace ima::retrieval
