#include "translate/encoded_words.hpp"

#include "translate/charset_decoder.hpp"
#include "translate/codec.hpp"
#include "translate/mime_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace ima::translate {
namespace {

struct encoded_word {
  std::string charset;
  std::string octets;
};

std::string decoded_q(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '_', ' ');
  transfer_decoder decoder(transfer::quoted_printable);
  std::string out;
  decoder.decode(spaced, out);
  decoder.finish(out);
  return out;
}

std::string decoded_b(std::string_view text) {
  transfer_decoder decoder(transfer::base64);
  std::string out;
  decoder.decode(text, out);
  return out;
}

// Takes what stands before the next `?`, and that; nothing where a space comes first.
std::optional<std::string_view> take_field(std::string_view& value) {
  const std::size_t end = value.find_first_of("? \t");
  if (end == std::string_view::npos || value[end] != '?') return std::nullopt;
  const std::string_view taken = value.substr(0, end);
  value.remove_prefix(end + 1);
  return taken;
}

// Takes `=?charset?encoding?text?=` off the front, or nothing.
std::optional<encoded_word> take_word(std::string_view& value) {
  if (!value.starts_with("=?")) return std::nullopt;
  std::string_view rest = value.substr(2);
  const auto name = take_field(rest);
  const auto encoding = name ? take_field(rest) : std::nullopt;
  const auto text = encoding ? take_field(rest) : std::nullopt;
  if (!text || name->empty() || encoding->size() != 1 || !rest.starts_with('='))
    return std::nullopt;
  const std::string_view charset = name->substr(0, name->find('*'));  // RFC 2231 adds a language
  const bool q = encoding->front() == 'q' || encoding->front() == 'Q';
  if (!q && encoding->front() != 'b' && encoding->front() != 'B') return std::nullopt;
  if (!charset_decoder(charset).known()) return std::nullopt;
  value = rest.substr(1);
  return encoded_word{lower(charset), q ? decoded_q(*text) : decoded_b(*text)};
}

std::string utf8_of(const encoded_word& word) {
  charset_decoder decoder(word.charset);
  std::string out;
  decoder.decode(word.octets, out);
  decoder.finish(out);
  return out;
}

std::string q_word(std::string_view text) {
  std::string out = "=?utf-8?q?";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain)
      out += c;
    else
      out += fmt::format("={:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out + "?=";
}

std::string_view leading_space(std::string_view value) {
  return value.substr(0, std::min(value.find_first_not_of(" \t"), value.size()));
}

// Words that only space separates; a character may be cut in two between words of one charset.
std::string take_run(encoded_word first, std::string_view& value) {
  std::string text;
  while (true) {
    std::string_view ahead = value.substr(leading_space(value).size());
    auto next = take_word(ahead);
    if (next) value = ahead;
    if (next && next->charset == first.charset) {
      first.octets += next->octets;
      continue;
    }
    text += utf8_of(first);
    if (!next) return text;
    first = std::move(*next);
  }
}

}  // namespace

std::string join_encoded_words(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    if (auto word = take_word(value)) {
      out += q_word(take_run(std::move(*word), value));
    } else {
      out += value.front();
      value.remove_prefix(1);
    }
  }
  return out;
}

std::string write_encoded_words(std::string_view text) {
  constexpr std::size_t most = 42;  // octets in one word, which then has less than 75
  std::string out;
  while (!text.empty()) {
    std::size_t size = std::min(most, text.size());
    while (size > 1 && size < text.size() &&
           (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U)
      --size;
    transfer_encoder encoder(transfer::base64);
    std::string word;
    encoder.encode(text.substr(0, size), word);
    encoder.finish(word);
    std::erase(word, '\n');
    if (!out.empty()) out += ' ';
    out += "=?utf-8?b?" + word + "?=";
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace ima::translate
