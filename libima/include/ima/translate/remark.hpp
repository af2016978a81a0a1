#pragma once

#include <string>
#include <string_view>

namespace ima::translate {

/// Something that a translation could not say in the other format, or said in another way; the
/// words are explained in docs/translation.md section 5. What it is about was kept all the same,
/// where that section does not say otherwise.
struct remark {
  std::string_view rule;  ///< A string literal.
  std::string place;      ///< "Subject", "part 2".
  std::string text;       ///< For people; may quote the message, so whoever prints it escapes it.
};

}  // namespace ima::translate
