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

/// A request line, read. `request` means nothing for DONE.
struct parsed_request {
  command what = command::done;
  any_request request;
  std::optional<std::size_t> password_size;  ///< So many octets of password follow the line.
};

/// The most flags one FLAG may name, and one message may have.
inline constexpr std::size_t most_flags = 64;

/// Reads a line without its LF. The error is a refusal() of reason framing (a malformed AUTH: what
/// follows it cannot be known), command or syntax.
result<parsed_request> parse_request(std::string_view line, const limits& bounds);

/// `COMMAND folder id…`: the requests that name messages. Checks every word; fault::caller.
result<std::string> write_ids_request(command c, std::string_view folder,
                                      std::optional<std::string_view> target,
                                      std::span<const std::string> ids);

/// Appends ` +flag… -flag… if-seq=n` to a FLAG line. fault::caller.
result<void> append_flag_change(std::string& line, const flag_change& what);

}  // namespace ima::retrieval
