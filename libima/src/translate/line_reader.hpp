#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ima::translate {

/// One line of a file.
struct text_line {
  std::uint64_t at = 0;    ///< Offset of its first octet.
  std::uint64_t size = 0;  ///< Octets with its line end.
  std::size_t end = 0;     ///< Octets of its line end: 2 for CRLF, 1 for LF, 0 at the input's end.
  std::string_view front;  ///< The line without its end, or as much of it as is kept.
  bool whole() const noexcept { return front.size() + end == size; }
};

/// Reads a source line by line in constant memory, however long a line is.
class line_reader {
 public:
  /// Reads from `begin` to `end`. The source outlives the reader.
  line_reader(body_source& from, std::uint64_t begin, std::uint64_t end)
      : from_(from), next_read_(begin), at_(begin), end_(end) {}

  /// Nothing at the end of the input. The views are valid until the next call. Errors: the
  /// source's.
  result<std::optional<text_line>> next();

 private:
  static constexpr std::size_t window_size = 64 * 1024;

  std::string_view window() const noexcept { return std::string_view(buffer_).substr(pos_); }
  result<void> fill();
  result<text_line> long_line();

  body_source& from_;
  std::uint64_t next_read_;  // offset of the first octet that is not in the buffer
  std::uint64_t at_;         // offset of the next line
  std::uint64_t end_;
  std::string buffer_;
  std::size_t pos_ = 0;
  std::string front_;  // of a line longer than the buffer
};

}  // namespace ima::translate
