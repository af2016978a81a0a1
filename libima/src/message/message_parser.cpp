#include "support/try.hpp"

#include <ima/message.hpp>

#include <fmt/format.h>

#include <utility>

namespace ima {

struct message_parser::state {
  limits bounds;
  octets fed;
  std::string header;         // octets of the header block so far
  bool at_line_start = true;  // the last octet taken was a LF
  bool finished = false;
  bool complete = false;
  std::optional<body_reader> body;
  std::optional<error> failed;

  explicit state(const limits& b) : bounds(b) {}

  result<message_event> step();
  result<message_event> header_step();
  result<message_event> body_step();
  bool take_header_line();
};

// Takes octets up to and including the next LF; true when the block is complete.
bool message_parser::state::take_header_line() {
  const std::size_t lf = fed.find('\n');
  const std::size_t count = lf == octets::npos ? fed.size() : lf + 1;
  const bool blank = at_line_start && lf == 0;
  header.append(fed.substr(0, count));
  at_line_start = lf != octets::npos;
  fed.remove_prefix(count);
  return blank;
}

result<message_event> message_parser::state::header_step() {
  while (!fed.empty()) {
    const bool whole = take_header_line();
    if (header.size() > bounds.header_block)
      return error{fault::peer, "header-limit", "",
                   fmt::format("the header block is more than {} octets", bounds.header_block)};
    if (!whole) continue;
    IMA_TRY(block, header_block::parse(header, bounds));
    header = {};
    body.emplace(block);
    return message_event(header_received{block});
  }
  if (!finished) return message_event(need_input{});
  return error{fault::peer, "truncated", "header block",
               "the message ends before the blank line of its header block"};
}

result<message_event> message_parser::state::body_step() {
  IMA_TRY(slice, body->next(fed));
  if (slice) return message_event(part_received{*slice});
  if (body->complete()) {
    complete = true;
    return message_event(message_complete{});
  }
  if (!finished) return message_event(need_input{});
  return error{fault::peer, "truncated", "body",
               fmt::format("the message ends {} octets early", body->remaining())};
}

result<message_event> message_parser::state::step() {
  if (!body) return header_step();
  if (!complete) return body_step();
  return message_event(message_complete{});
}

message_parser::message_parser(const limits& bounds) : state_(std::make_unique<state>(bounds)) {}
message_parser::message_parser(message_parser&&) noexcept = default;
message_parser& message_parser::operator=(message_parser&&) noexcept = default;
message_parser::~message_parser() = default;

void message_parser::feed(octets input) { state_->fed = input; }
void message_parser::finish() { state_->finished = true; }
octets message_parser::rest() const noexcept { return state_->fed; }

result<message_event> message_parser::next() {
  if (state_->failed) return *state_->failed;
  auto event = state_->step();
  if (!event) state_->failed = event.error();
  return event;
}

}  // namespace ima
