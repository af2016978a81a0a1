#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ima {

/// What a person reads of HTML, piece by piece (docs/mailbox.md section 9): without tags, comments,
/// styles and scripts, character references as the characters, a line for each block. Any octets
/// will do. Wherever the pieces end, what comes out is the same. It is as hostile as the HTML was:
/// terminal_text shows it. Memory is constant. One thread at a time; one object for one text.
class IMA_API html_text {
 public:
  /// What this piece adds.
  std::string next(octets piece);
  /// The rest of the text, which is at its end.
  std::string end();

 private:
  enum class place : std::uint8_t { text, reference, tag, comment };

  void take(char c);
  void take_text(char c);
  void take_reference(char c);
  void take_tag(char c);
  void take_comment(char c);
  void end_reference(bool ended);
  void end_tag();
  void show(char c);

  place place_ = place::text;
  std::string out_;
  std::string held_;        // the front of a reference, tag or end of comment that is not whole
  std::string hidden_;      // the element within which nothing is shown
  char quote_ = 0;          // what ends the attribute's value
  char last_ = 0;           // the tag's last character that is no space
  std::size_t breaks_ = 0;  // line feeds that are due before the next character
  bool space_ = false;      // a space is
  bool shown_ = false;      // anything was
};

}  // namespace ima
