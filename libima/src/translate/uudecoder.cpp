#include "translate/uudecoder.hpp"

#include "translate/mime_words.hpp"

#include <algorithm>

namespace ima::translate {
namespace {

constexpr std::size_t longest_line = 1000;  // of which none needs so much

// What a letter stands for, or -1. Both the space and "`" are 0.
int value_of(char c) noexcept { return c >= ' ' && c <= '`' ? (c - ' ') & 0x3f : -1; }

}  // namespace

void uudecoder::decode(octets in, std::string& out) {
  while (!in.empty()) {
    const std::size_t end = std::min(in.find('\n'), in.size());
    const std::size_t room = longest_line - line_.size();
    clean_ = clean_ && end <= room;
    line_ += in.substr(0, std::min(end, room));
    if (end == in.size()) return;
    take(line_, out);
    line_.clear();
    in.remove_prefix(end + 1);
  }
}

void uudecoder::finish(std::string& out) {
  take(line_, out);
  line_.clear();
  clean_ = clean_ && place_ == place::behind;
}

void uudecoder::take(std::string_view line, std::string& out) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  constexpr std::string_view begin = "begin ";
  if (place_ == place::before && line.starts_with(begin)) {
    line.remove_prefix(begin.size());
    name_ = trim(line.substr(std::min(line.find(' '), line.size())));
    place_ = place::file;
  } else if (place_ == place::file && trim(line) == "end") {
    place_ = place::behind;
  } else if (place_ == place::file) {
    take_data(line, out);
  } else {
    clean_ = clean_ && trim(line).empty();
  }
}

// A letter with the number of octets, and each three of them in four letters. Spaces at the end of
// a line may have been lost on the way.
void uudecoder::take_data(std::string_view line, std::string& out) {
  const int size = line.empty() ? 0 : value_of(line.front());
  const std::size_t octets_here = size < 0 ? 0 : static_cast<std::size_t>(size);
  const std::size_t letters = (octets_here * 4 + 2) / 3;
  std::string_view rest = line.substr(std::min<std::size_t>(1, line.size()));
  clean_ = clean_ && size >= 0 && rest.size() >= letters;
  const std::string_view data = rest.substr(0, letters);
  rest.remove_prefix(std::min(rest.size(), (octets_here + 2) / 3 * 4));
  clean_ = clean_ && rest.find_first_not_of(" `") == std::string_view::npos;
  unsigned bits = 0;
  std::size_t written = 0;
  for (std::size_t i = 0; i < letters; ++i) {
    const int value = i < data.size() ? value_of(data[i]) : 0;
    clean_ = clean_ && value >= 0;
    bits = (bits << 6U) | static_cast<unsigned>(std::max(value, 0));
    const std::size_t waiting = (i + 1) * 6 - written * 8;
    if (waiting < 8) continue;
    out += static_cast<char>((bits >> (waiting - 8)) & 0xffU);
    ++written;
  }
}

}  // namespace ima::translate
