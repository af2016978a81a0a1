#pragma once

#include <ima/error.hpp>

#include <iconv.h>

#include <memory>
#include <string>
#include <string_view>

namespace ima::translate {

/// Turns text of a charset into UTF-8, piece by piece. What the charset has no meaning for becomes
/// U+FFFD. A label is read as what mail programs mean by it (docs/translation.md section 4.4).
class charset_decoder {
 public:
  /// An empty name is UTF-8.
  explicit charset_decoder(std::string_view charset);
  void decode(octets in, std::string& out);
  void finish(std::string& out);
  bool known() const noexcept { return known_; }
  /// True once something was not what the charset allows by the letter, or stands in a charset
  /// unknown here.
  bool lossy() const noexcept { return lossy_; }

 private:
  struct closer {
    void operator()(void* handle) const { iconv_close(handle); }
  };
  using converter = std::unique_ptr<void, closer>;

  static converter open(const char* charset);
  static converter open_label(const std::string& label);
  void open_known(std::string_view charset);
  void replace_one(octets octet, std::string& out);
  void check_strictly(octets in);
  void check(octets text);

  converter handle_;
  converter fallback_;  // for octets that handle_ has no meaning for
  converter strict_;    // by the letter, where handle_ is by usage
  std::string strict_waiting_;
  bool known_ = true;
  bool unicode_ = false;  // any character may stand in it
  bool escapes_ = false;  // an ESC that comes out was no part of the text
  bool lossy_ = false;
  std::string waiting_;  // an incomplete character
};

}  // namespace ima::translate
