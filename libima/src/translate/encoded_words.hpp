#pragma once

#include <string>
#include <string_view>

// Encoded words (RFC 2047).

namespace ima::translate {

/// Makes one word in UTF-8, with every octet encoded that may mean something, of each run of
/// encoded words. GMime joins words before it undoes their base64, and then stops at the padding of
/// the first; words like these it reads right. What is no encoded word stays as it is.
std::string join_encoded_words(std::string_view value);

/// The text as encoded words, each short enough to be folded; empty for an empty text.
std::string write_encoded_words(std::string_view text);

}  // namespace ima::translate
