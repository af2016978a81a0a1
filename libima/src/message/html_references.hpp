#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ima {

/// The character that `name`, what stands behind the `&` of an HTML character reference, is for:
/// `uuml`, `#252`, `#xfc`. `ended` says whether a semicolon follows. Nothing for what is none.
std::optional<char32_t> html_reference(std::string_view name, bool ended);

}  // namespace ima
