#include "message/html_references.hpp"
#include "support/ascii.hpp"
#include "support/utf8.hpp"

#include <ima/html_text.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace ima {
namespace {

constexpr std::size_t longest_held = 32;  // no name is longer
constexpr char32_t no_break_space = 0xa0;
constexpr char32_t soft_hyphen = 0xad;

constexpr std::array<std::string_view, 3> hiding{"script", "style", "title"};
constexpr std::array<std::string_view, 8> paragraphs{"p",  "h1", "h2", "h3",
                                                     "h4", "h5", "h6", "blockquote"};
constexpr std::array<std::string_view, 25> blocks{
    "address", "article", "aside", "body",   "center", "dd",   "div", "dl",   "dt",
    "footer",  "form",    "head",  "header", "hr",     "html", "li",  "main", "ol",
    "pre",     "section", "table", "tbody",  "thead",  "tr",   "ul"};

template <class Names>
bool has(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_letter(char c) noexcept { return lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z'; }
bool is_of_name(char c) noexcept { return is_letter(c) || (c >= '0' && c <= '9'); }
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

std::string html_text::next(octets piece) {
  for (const char c : piece) take(c);
  return std::exchange(out_, {});
}

std::string html_text::end() {
  if (place_ == place::reference) end_reference(false);
  return std::exchange(out_, {});
}

void html_text::take(char c) {
  switch (place_) {
    case place::text:
      return take_text(c);
    case place::reference:
      return take_reference(c);
    case place::tag:
      return take_tag(c);
    case place::comment:
      return take_comment(c);
  }
}

void html_text::take_text(char c) {
  if (c != '<' && (c != '&' || !hidden_.empty())) return show(c);
  held_.clear();
  quote_ = last_ = 0;
  place_ = c == '<' ? place::tag : place::reference;
}

void html_text::take_reference(char c) {
  if ((is_of_name(c) || (c == '#' && held_.empty())) && held_.size() < longest_held) {
    held_ += c;
    return;
  }
  end_reference(c == ';');
  if (c != ';') take_text(c);
}

// What is no reference stands for itself. A hyphen that is not seen would part the word.
void html_text::end_reference(bool ended) {
  place_ = place::text;
  const auto found = html_reference(held_, ended);
  std::string text;
  if (!found)
    text = '&' + held_ + (ended ? ";" : "");
  else if (*found == no_break_space)
    text = " ";
  else if (*found != soft_hyphen)
    utf8::append(text, *found);
  for (const char c : text) show(c);
}

// A `>` within a quoted value ends no tag; within a script or style anything may follow a `<`.
void html_text::take_tag(char c) {
  const bool begins = is_letter(c) || c == '/' || c == '!' || c == '?';
  if (held_.empty() && !begins) {
    place_ = place::text;
    show('<');
    return take_text(c);
  }
  if (!hidden_.empty() && c == '<') return held_.clear();
  if (quote_ != 0) {
    if (c == quote_) quote_ = 0;
  } else if (c == '>') {
    return end_tag();
  } else if ((c == '"' || c == '\'') && last_ == '=' && hidden_.empty()) {
    quote_ = c;
  }
  if (!is_space(c)) last_ = c;
  if (held_.size() < longest_held) held_ += c;
  if (held_ == "!--" && hidden_.empty()) {
    place_ = place::comment;
    held_ = "--";
  }
}

void html_text::take_comment(char c) {
  if (c == '>' && held_ == "--") {
    place_ = place::text;
    return;
  }
  held_ = held_.substr(held_.size() - 1) + c;
}

void html_text::end_tag() {
  place_ = place::text;
  const bool closes = held_.starts_with('/');
  std::string name = lower_ascii(std::string_view(held_).substr(closes ? 1 : 0));
  name.erase(std::ranges::find_if_not(name, is_of_name), name.end());
  if (!hidden_.empty()) {
    if (closes && name == hidden_) hidden_.clear();
  } else if (!closes && has(hiding, name)) {
    hidden_ = name;
  } else if (has(paragraphs, name)) {
    breaks_ = 2;
  } else if (has(blocks, name)) {
    breaks_ = std::max<std::size_t>(breaks_, 1);
  } else if (name == "br") {
    breaks_ = std::min<std::size_t>(breaks_ + 1, 2);
  } else if (name == "td" || name == "th" || name == "img") {
    space_ = true;
  }
}

// Spaces and line ends are one space, and none where a line begins.
void html_text::show(char c) {
  if (!hidden_.empty()) return;
  if (is_space(c)) {
    space_ = true;
    return;
  }
  if (shown_ && breaks_ > 0)
    out_.append(breaks_, '\n');
  else if (shown_ && space_)
    out_ += ' ';
  out_ += c;
  breaks_ = 0;
  space_ = false;
  shown_ = true;
}

}  // namespace ima
