#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <string>
#include <string_view>

namespace ima {

/// A text that a stranger wrote, as a terminal may show it, piece by piece: printable(), but line
/// feeds stay and tabs become four spaces. Wherever the pieces end, what comes out is the same.
/// Memory is constant but for a piece. One thread at a time; one object for one text.
class IMA_API terminal_text {
 public:
  /// What can be shown of the text with this piece, and was not shown before.
  std::string next(octets piece);
  /// The rest of the text, which is at its end; a last line without its line feed gets one.
  std::string end();

 private:
  std::string show(std::string_view text);

  std::string cut_;  // the front of a character whose rest comes with the next piece
  bool line_open_ = false;
};

/// printable() for the name of a person or of a file: escapes as well the spaces that look like
/// others or like nothing (`\u00a0`, `\u200b`), so that no name passes for another
/// (docs/message.md section 8).
IMA_API std::string printable_name(std::string_view text);

}  // namespace ima
