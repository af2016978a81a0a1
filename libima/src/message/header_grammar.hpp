#pragma once

#include <ima/error.hpp>
#include <ima/header.hpp>

#include <cstddef>
#include <string_view>

// The grammar of single header lines (docs/message.md sections 2 to 5); what lines may stand
// together is in header_rules.cpp.

namespace ima::grammar {

/// Splits `name: value` (line without LF). Errors: `line-syntax`, `line-utf8`, `line-control`.
result<header_field> field(std::string_view line);

/// A `part:` value. Errors: `part-syntax`, `part-length`, `digest-syntax`, `part-role`,
/// `media-type`, `part-attribute`. Leaves `offset` at zero.
result<part_info> part(std::string_view value);

/// `type/subtype`, lower case. Error: `media-type`.
result<void> media_type(std::string_view text);

/// Checks the value of a header whose grammar the specification fixes; others are free text.
result<void> value(const header_field& field);

/// How often the header `name` may stand in one block.
std::size_t most(std::string_view name) noexcept;

/// True for to, cc, bcc and for.
bool names_recipient(std::string_view name) noexcept;

/// True for bcc, for and received, which the digest leaves out (docs/message.md section 6).
bool is_envelope(std::string_view name) noexcept;

}  // namespace ima::grammar
