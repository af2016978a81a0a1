#include "mailbox/words.hpp"

#include "mailbox/store.hpp"
#include "support/utf8.hpp"

#include <ima/html_text.hpp>

#include <algorithm>
#include <array>

namespace ima::mailbox {

namespace {

constexpr std::size_t most_text = 256 * 1024;

struct range {
  char32_t first;
  char32_t last;
};

// Thai to Burmese, Khmer, the Han characters and what is written with them, Yi, Hangul.
constexpr std::array<range, 11> unspaced{{{0x0e00, 0x0fff},
                                          {0x1000, 0x109f},
                                          {0x1100, 0x11ff},
                                          {0x1780, 0x17ff},
                                          {0x2e80, 0x2fdf},
                                          {0x3005, 0x3007},
                                          {0x3040, 0x9fff},
                                          {0xa000, 0xa4cf},
                                          {0xac00, 0xd7ff},
                                          {0xf900, 0xfaff},
                                          {0xff66, 0xffdc}}};

constexpr range wide{0xff01, 0xff5e};  // ASCII again, as wide as a Han character

bool is_unspaced(char32_t c) noexcept {
  if (c >= 0x20000 && c <= 0x3ffff) return true;
  return std::ranges::any_of(unspaced, [c](const range& r) { return c >= r.first && c <= r.last; });
}

void add(std::string& to, std::string_view value) {
  if (to.size() >= most_text) return;
  to += spaced(value.substr(0, most_text - to.size()));
  to += '\n';
}

// A header's name decides where its value is looked for; what pins the body has no words.
std::string* column_of(searchable_text& text, std::string_view name) {
  if (name == "part" || name == "ima" || name == "received") return nullptr;
  if (name == "from" || name == "mailer" || name == "reply-to") return &text.sender;
  if (name == "to" || name == "cc" || name == "bcc" || name == "for") return &text.recipient;
  return name == "subject" ? &text.subject : &text.header;
}

bool is_text(const part_info& part) {
  return part.media_type.starts_with("text/") && part.name.empty() && part.role != "attachment";
}

result<void> read_part(const stored_text& message, file_system& files, const layout::object& what,
                       std::size_t part, std::string& body) {
  IMA_TRY(source, open_part_of(files, what, message, part));
  std::string text(std::min<std::uint64_t>(source->size(), most_text - body.size()), '\0');
  IMA_TRY(count, source->read_at(0, text));
  text.resize(count);
  if (message.header.parts()[part].media_type == "text/html") {
    html_text shown;
    text = shown.next(text);
    text += shown.end();
  }
  add(body, text);
  return {};
}

}  // namespace

std::string spaced(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const auto c = utf8::decode(text);
    const std::size_t length = std::max<std::size_t>(c.length, 1);
    const bool alone = c.length > 1 && is_unspaced(c.value);
    if (alone) out += ' ';
    if (c.length == 0 || c.value == 0)
      out += ' ';
    else if (c.value >= wide.first && c.value <= wide.last)
      out += static_cast<char>(c.value - wide.first + '!');
    else
      out += text.substr(0, length);
    if (alone) out += ' ';
    text.remove_prefix(length);
  }
  return out;
}

bool has_words(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

result<searchable_text> read_words(file_system& files, const layout::object& what) {
  IMA_TRY(message, open_text(files, what));
  searchable_text text;
  if (const auto date = message.header.date()) text.sent = date->at.time_since_epoch().count();
  for (const header_field& field : message.header.fields())
    if (auto* const column = column_of(text, field.name)) add(*column, field.value);
  const auto parts = message.header.parts();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].name.empty()) add(text.attachment, parts[i].name);
    if (is_text(parts[i]) && text.body.size() < most_text)
      IMA_CHECK(read_part(message, files, what, i, text.body));
  }
  return text;
}

}  // namespace ima::mailbox
