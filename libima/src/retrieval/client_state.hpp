#pragma once

#include "retrieval/reply_grammar.hpp"
#include "retrieval/states.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"

#include <ima/retrieval/client.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ima::retrieval {

/// A request that was made, as far as its replies are judged by it.
struct asked {
  command what = command::done;
  std::vector<std::string> ids;  // named messages; replies name them in this order
  std::size_t at = 0;            // ids before this one have been answered or passed over
  std::uint64_t lines_left = 0;  // CHANGES, SEARCH: the page; FOLDERS, QUEUE: the limit
  std::uint64_t part = 0;        // FETCH
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  bool part_begun = false;
  bool accepted = false;             // APPEND, SEND
  std::set<std::string> recipients;  // SEND: those without a RESULT, by address::key()
  bool watches = false;              // WATCH with folders
};

/// The body that the latest APPEND or SEND announced.
struct body_due {
  std::uint64_t left = 0;
  bool begun = false;  // DATA was said
};

struct client::state {
  explicit state(client_options o) : options(std::move(o)), input(options.bounds.wire_line) {}

  // Requests, in client.cpp.
  result<void> ask(std::string_view line, asked request);
  result<void> ask_for_ids(command c, std::string_view folder,
                           std::optional<std::string_view> target,
                           std::span<const std::string> ids);
  result<void> offer(std::string_view line, asked request, const header_block& header,
                     std::uint64_t body_size);

  // Replies, in client_replies.cpp.
  using event_or_none = result<std::optional<client_event>>;
  result<client_event> next();
  event_or_none step();
  result<client_event> starve();
  std::optional<client_event> take_header();
  event_or_none take_line(std::string_view text);
  result<void> expect(line kind);
  result<void> expect_counted(line kind);
  result<void> match_id(std::string_view id);
  result<void> check_whole(const asked& request) const;
  void end_first();

  event_or_none accept(reply::folder r);
  event_or_none accept(reply::changed_entry r);
  event_or_none accept(header_line r);
  event_or_none accept(reply::gone r);
  event_or_none accept(reply::changed r);
  event_or_none accept(reply::copied r);
  event_or_none accept(reply::part_begin r);
  event_or_none accept(reply::accepted r);
  event_or_none accept(reply::found r);
  event_or_none accept(reply::outcome r);
  event_or_none accept(reply::note r);
  event_or_none accept(reply::queued r);
  event_or_none accept(reply::event r);
  event_or_none accept(ok_line r);
  event_or_none accept(reply::failure r);

  client_options options;
  wire::input input;
  wire::output output;
  std::deque<asked> outstanding;
  std::optional<body_due> body;
  bool greeted = false;
  bool said_done = false;
  bool watching = false;
  bool answer_begun = false;  // a line of the answer to the first request came
  std::optional<header_line> awaited_header;
  std::uint64_t part_left = 0;
  std::optional<error> broken;
};

}  // namespace ima::retrieval
