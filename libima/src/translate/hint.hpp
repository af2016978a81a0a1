#pragma once

#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <string>
#include <string_view>

// The IMA-Header field: the header block that a message had before it became MIME, for what MIME
// does not keep, such as the order of lines (docs/translation.md section 3.3).

namespace ima::translate {

/// The block's lines that its digest covers, with the blank line.
std::string without_envelope(const header_block& block);

/// The field's value for a header block, its envelope lines apart.
std::string write_hint(const header_block& header);

/// `made` in the words of the hint, with the envelope lines of `made`, if both say the same;
/// otherwise `made`. So nobody can say one thing in MIME and another to us.
header_block with_hint(const header_block& made, std::string_view hint, const limits& bounds);

}  // namespace ima::translate
