#pragma once

#include "mailbox/index.hpp"
#include "mailbox/layout.hpp"

#include <string>
#include <string_view>

// Which words of a message are searched, and what a word is (docs/mailbox.md section 9).

namespace ima::mailbox {

/// `text` with a space around each character of a script that puts none between words, so that
/// SQLite's tokenizer takes each as a word of its own; and with ASCII in place of its full-width
/// forms. What is not UTF-8 becomes a space.
std::string spaced(std::string_view text);

/// True where `text` holds something to look for, not just spaces and marks.
bool has_words(std::string_view text);

/// Reads a message's header lines and text parts, and no more than a bound of them.
result<searchable_text> read_words(file_system& files, const layout::object& what);

}  // namespace ima::mailbox
