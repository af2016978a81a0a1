#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ima::translate {

/// Text made fit for a header line: tabs are spaces, other controls and what is not UTF-8 are
/// U+FFFD, spaces around it are gone, and it has at most `longest` octets.
struct fitted {
  std::string text;
  bool changed = false;  ///< Something was replaced or cut, tabs and outer spaces apart.
};
fitted fit_line(std::string_view text, std::size_t longest);

/// Whether a header line or an attribute may have this name (docs/message.md section 2).
bool is_line_name(std::string_view name) noexcept;

/// Whether all of it is well-formed UTF-8.
bool is_utf8(std::string_view text) noexcept;

/// Percent-encodes what a part's attribute may not hold: `%`, `;`, space, controls, and octets that
/// are not UTF-8 (docs/message.md section 5).
std::string escape_attribute(std::string_view text);

/// Percent-encodes everything that is not visible ASCII, and `%`; a space stays if another does not
/// stand before it, so that the field can be folded; a long word gets "% " to be folded at.
std::string escape_field(std::string_view text);

/// Undoes both. Nothing where a `%` is not followed by two hexadecimal digits.
std::optional<std::string> unescape(std::string_view text);

}  // namespace ima::translate
