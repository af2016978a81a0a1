#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/translate/remark.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace ima::translate {

/// The number in a part line's `original=`, or 0.
std::size_t original_of(std::string_view line);

/// For each part, whether it is nothing but what its original, another part, says (`original=`,
/// docs/translation.md section 4.4). The original is translated to see whether that is true: a
/// message that shows one thing here and another in MIME keeps both, with a remark. Errors: the
/// source's.
result<std::vector<bool>> derived_parts(const header_block& header, body_source& body,
                                        std::vector<remark>& remarks);

}  // namespace ima::translate
