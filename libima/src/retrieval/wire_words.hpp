#pragma once

#include <ima/error.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Values as words of a line, read and written: what requests and replies share
// (docs/retrieval.md section 4). A reader gives nothing where the word is malformed.

namespace ima::retrieval {

/// The most flags one FLAG may name, and one message may have.

/// Any text without controls as one word: space and `%` are written `%20` and `%25`.
std::string text_to_wire(std::string_view text);
std::optional<std::string> text_from_wire(std::string_view word);

/// `seen,flagged`, or `-`.
std::string flags_to_wire(const std::vector<std::string>& flags);
std::optional<std::vector<std::string>> flags_from_wire(std::string_view word);

/// A time in UTC.
std::optional<timestamp> time_from_wire(std::string_view word);
/// A time, written in UTC whatever its own zone, or `-`.
std::string time_to_wire(const std::optional<timestamp>& time);

/// `folder/id`.
std::string reference_to_wire(const message_reference& what);
std::optional<message_reference> reference_from_wire(std::string_view word);

/// A text, or `-` where it is empty.
std::string_view or_dash(std::string_view text);

}  // namespace ima::retrieval
