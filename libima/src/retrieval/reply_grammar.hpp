#pragma once

#include <ima/error.hpp>
#include <ima/retrieval/client.hpp>
#include <ima/retrieval/types.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The greeting and the reply lines of docs/retrieval.md section 5, read and written.

namespace ima::retrieval {

std::string write_greeting(std::string_view host, std::span<const std::string_view> capabilities);
std::string write_folder(const folder_info& f);
std::string write_change(const change& c);
std::string write_header(std::string_view id, std::size_t block, std::size_t record);
std::string write_part(std::string_view id, std::uint64_t part, std::uint64_t offset,
                       std::uint64_t length);
std::string write_ok(const folder_status& s);
std::string write_ok(std::string_view token, bool more);
std::string write_ok(const quota_status& status);
std::string write_ok(const send_end& end);
std::string write_event(const watched_folder& now);
std::string write_outcome(const recipient_outcome& o);
std::string write_note(std::string_view host, std::string_view text);
std::string write_queued(const queued_message& m);
std::string write_failure(reason why, std::string_view text);

/// `HEADER id n r`: n octets of header block follow, then r of the record.
struct header_line {
  std::string id;
  std::uint64_t block = 0;
  std::uint64_t record = 0;
};
/// `OK …`, its words not yet read, as they depend on the request.
struct ok_line {
  std::string_view words;
};

using reply_line =
    std::variant<reply::folder, reply::changed_entry, header_line, reply::gone, reply::changed,
                 reply::copied, reply::part_begin, reply::accepted, reply::found, reply::outcome,
                 reply::note, reply::queued, reply::event, ok_line, reply::failure>;

/// Errors of all of these: fault::peer, rule `reply-syntax` (`greeting` for the first).
result<reply::greeting> parse_greeting(std::string_view line, std::string_view expected_host);
result<reply_line> parse_reply(std::string_view line);
result<folder_status> parse_status(std::string_view words);
/// Read what stands behind `OK` into `end`.
result<void> parse_token(std::string_view words, reply::done& end);
result<void> parse_id(std::string_view words, reply::done& end);
result<void> parse_cursor(std::string_view words, reply::done& end);
result<void> parse_quota(std::string_view words, reply::done& end);
result<void> parse_verdict(std::string_view words, reply::done& end);

}  // namespace ima::retrieval
