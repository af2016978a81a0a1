#include "translate/line_reader.hpp"

#include "support/try.hpp"

#include <algorithm>

namespace ima::translate {
namespace {

std::size_t line_end_of(std::string_view line) noexcept {
  if (line.ends_with("\r\n")) return 2;
  return line.ends_with('\n') ? 1 : 0;
}

}  // namespace

// Makes the window hold a line feed, or be full, or reach the end of the input.
result<void> line_reader::fill() {
  buffer_.erase(0, pos_);
  pos_ = 0;
  while (buffer_.size() < window_size && next_read_ < end_) {
    const std::size_t had = buffer_.size();
    const auto more =
        static_cast<std::size_t>(std::min<std::uint64_t>(window_size - had, end_ - next_read_));
    buffer_.resize(had + more);
    IMA_CHECK(from_.read_at(next_read_, buffer_.data() + had, more));
    next_read_ += more;
  }
  return {};
}

result<text_line> line_reader::long_line() {
  text_line line{at_, 0, 0, {}};
  front_ = window();
  char last = 0;
  while (true) {
    const std::size_t lf = window().find('\n');
    const std::size_t count = lf == std::string_view::npos ? window().size() : lf + 1;
    if (lf != std::string_view::npos) {
      const char before = lf > 0 ? window()[lf - 1] : last;
      line.end = before == '\r' ? 2 : 1;
    }
    if (count > 0) last = window()[count - 1];
    pos_ += count;
    line.size += count;
    if (line.end > 0 || next_read_ == end_) break;
    IMA_CHECK(fill());
  }
  // The front never holds a part of the line end.
  front_.resize(std::min<std::uint64_t>(front_.size(), line.size - line.end));
  line.front = front_;
  return line;
}

result<std::optional<text_line>> line_reader::next() {
  std::size_t lf = window().find('\n');
  if (lf == std::string_view::npos && next_read_ < end_) {
    IMA_CHECK(fill());
    lf = window().find('\n');
  }
  if (window().empty()) return std::optional<text_line>();
  if (lf == std::string_view::npos && next_read_ < end_) {
    IMA_TRY(line, long_line());
    at_ += line.size;
    return std::optional(line);
  }
  const std::string_view text = window().substr(0, lf == std::string_view::npos ? lf : lf + 1);
  const std::size_t end = line_end_of(text);
  const text_line line{at_, text.size(), end, text.substr(0, text.size() - end)};
  pos_ += text.size();
  at_ += text.size();
  return std::optional(line);
}

}  // namespace ima::translate
