#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ima::wire {

/// Takes the first word off a protocol's `line` (words stand apart by exactly one space). Returns
/// an empty view, for which no grammar has a use, at the end of the line, and where it is not
/// well-formed: where a space stands first, last or twice. For our own records, whose last field
/// may be empty, there is take_up_to().
std::string_view take_word(std::string_view& line) noexcept;

/// Takes what stands before the first `end` off `text`, and `end` with it; all of it where there is
/// none.
std::string_view take_up_to(std::string_view& text, char end) noexcept;

/// A strict decimal: digits only, no leading zero, no overflow.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;

/// Checks that `text` is UTF-8 without control characters. Errors: fault::peer, rules `line-utf8`,
/// `line-control`; the place is `place` with the octet's position.
result<void> check_text(std::string_view text, std::string_view place);

/// Makes foreign text fit to be passed on in a line: what is not UTF-8 and every control character
/// becomes U+FFFD, and at most `max` octets stay, cut between characters.
std::string clean_text(std::string_view text, std::size_t max);

}  // namespace ima::wire
