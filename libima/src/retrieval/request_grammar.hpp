#pragma once

#include "retrieval/states.hpp"

#include <ima/error.hpp>
#include <ima/limits.hpp>
#include <ima/retrieval/server.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// The request lines of docs/retrieval.md section 5, read and written.

namespace ima::retrieval {

/// A request line, read. `request` means nothing for DATA, CANCEL and DONE.
struct parsed_request {
  command what = command::done;
  any_request request;
  std::optional<std::uint64_t> counted = {};  ///< So many octets follow the line.
  std::size_t old_password = 0;               ///< PASSWORD: so many of them are the old one.
};

/// The most criteria of one SEARCH, and options of one SEND.
inline constexpr std::size_t most_options = 32;

/// Reads a line without its LF. The error is a refusal() of reason framing (a malformed line of a
/// command with counted octets: what follows it cannot be known), command or syntax.
result<parsed_request> parse_request(std::string_view line, const limits& bounds);

/// `COMMAND folder id…`: the requests that name messages. Checks every word; fault::caller.
result<std::string> write_ids_request(command c, std::string_view folder,
                                      std::optional<std::string_view> target,
                                      std::span<const std::string> ids);

/// `APPEND …`, `SEND …` with the size of the header block, `SEARCH …`, `WATCH …`. fault::caller.
result<std::string> write_append(const append_target& what, std::size_t block);
result<std::string> write_send(const send_options& options, std::size_t block);
result<std::string> write_search(std::string_view folder, std::string_view cursor,
                                 std::uint64_t page, const search_query& query);
result<std::string> write_watch(std::span<const watched_folder> folders);

/// Appends ` +flag… -flag… if-seq=n` to a FLAG line. fault::caller.
result<void> append_flag_change(std::string& line, const flag_change& what);

}  // namespace ima::retrieval
