#include "translate/codec.hpp"

#include "translate/mime_words.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace ima::translate {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

GMimeContentEncoding gmime_name(transfer encoding) noexcept {
  switch (encoding) {
    case transfer::base64:
      return GMIME_CONTENT_ENCODING_BASE64;
    case transfer::quoted_printable:
      return GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
    case transfer::uuencode:  // has a decoder of its own
    case transfer::identity:
      break;
  }
  return GMIME_CONTENT_ENCODING_BINARY;
}

int base64_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Runs one step of GMime's codec into the end of `out`.
template <class Step>
void append(GMimeEncoding& state, octets in, std::string& out, Step step) {
  const std::size_t had = out.size();
  out.resize(had + g_mime_encoding_outlen(&state, in.size()) + 8);
  const std::size_t made = step(&state, in.data(), in.size(), out.data() + had);
  out.resize(had + made);
}

void* open_iconv(std::string_view charset) {
  start_gmime();
  const std::string name = charset.empty() ? "UTF-8" : std::string(charset);
  if (name.size() > 100) return nullptr;  // no charset, and GMime would keep it for ever
  void* const handle = g_mime_iconv_open("UTF-8", name.c_str());
  return reinterpret_cast<std::intptr_t>(handle) == -1 ? nullptr : handle;
}

}  // namespace

transfer_name transfer_of(std::string_view value) noexcept {
  value = trim(value);
  const std::string name = lower(value.substr(0, value.find_first_of(" \t;(")));
  if (name == "base64") return {transfer::base64, true};
  if (name == "quoted-printable") return {transfer::quoted_printable, true};
  if (name == "x-uuencode" || name == "uuencode" || name == "x-uue" || name == "uue")
    return {transfer::uuencode, true};
  return {transfer::identity, name.empty() || name == "7bit" || name == "8bit" || name == "binary"};
}

std::string_view name_of(transfer encoding) noexcept {
  switch (encoding) {
    case transfer::base64:
      return "base64";
    case transfer::quoted_printable:
      return "quoted-printable";
    case transfer::uuencode:
      return "x-uuencode";
    case transfer::identity:
      break;
  }
  return "binary";
}

transfer_decoder::transfer_decoder(transfer encoding) : encoding_(encoding) {
  g_mime_encoding_init_decode(&state_, gmime_name(encoding));
}

void transfer_decoder::decode(octets in, std::string& out) {
  if (encoding_ == transfer::identity) {
    out += in;
    return;
  }
  if (encoding_ == transfer::base64) return decode_base64(in, out);
  if (encoding_ == transfer::uuencode) return uuencoded_.decode(in, out);
  append(state_, in, out, g_mime_encoding_step);
}

// GMime's decoder loses the octets of a last group that is not full.
void transfer_decoder::decode_base64(octets in, std::string& out) {
  for (const char c : in) {
    const int value = base64_value(c);
    if (c == '=') {
      padded_ = true;
    } else if (value < 0 || padded_) {
      clean_ = clean_ && is_space(c);
    } else {
      bits_ = (bits_ << 6U) | static_cast<unsigned>(value);
      count_ += 6;
      if (count_ < 8) continue;
      count_ -= 8;
      out += static_cast<char>((bits_ >> count_) & 0xffU);
    }
  }
}

void transfer_decoder::finish(std::string& out) {
  if (encoding_ == transfer::uuencode) return uuencoded_.finish(out);
  if (encoding_ == transfer::quoted_printable) append(state_, {}, out, g_mime_encoding_flush);
}

transfer_encoder::transfer_encoder(transfer encoding) : encoding_(encoding) {
  g_mime_encoding_init_encode(&state_, gmime_name(encoding));
}

void transfer_encoder::encode(octets in, std::string& out) {
  if (encoding_ == transfer::identity)
    out += in;
  else
    append(state_, in, out, g_mime_encoding_step);
}

void transfer_encoder::finish(std::string& out) {
  if (encoding_ != transfer::identity) append(state_, {}, out, g_mime_encoding_flush);
}

charset_decoder::charset_decoder(std::string_view charset) : handle_(open_iconv(charset)) {
  if (lower(charset) == "gb2312") strict_.reset(iconv_open("UTF-8", "EUC-CN"));
  if (handle_) return;
  known_ = false;
  handle_.reset(open_iconv("UTF-8"));
}

void charset_decoder::replace_one(std::string& out) {
  out += replacement;
  lossy_ = true;
}

void charset_decoder::decode(octets in, std::string& out) {
  if (!known_) {
    lossy_ = lossy_ || std::any_of(in.begin(), in.end(), [](char c) {
               return static_cast<unsigned char>(c) >= 0x80 || c == '\x1b';
             });
  }
  if (strict_) check_strictly(in);
  waiting_ += in;
  char* from = waiting_.data();
  std::size_t left = waiting_.size();
  char piece[4096];
  while (left > 0) {
    char* to = piece;
    std::size_t room = sizeof piece;
    const std::size_t done = iconv(handle_.get(), &from, &left, &to, &room);
    const int why = errno;
    out.append(piece, sizeof piece - room);
    if (done != static_cast<std::size_t>(-1)) {
      lossy_ = lossy_ || done > 0;
      continue;
    }
    if (why == EINVAL) break;  // the rest of this character comes later
    if (why != EILSEQ) continue;
    replace_one(out);
    ++from;
    --left;
  }
  waiting_.erase(0, waiting_.size() - left);
}

// GMime reads gb2312 as its superset GBK, which is what people mean; that it was not what it said
// is to be known all the same.
void charset_decoder::check_strictly(octets in) {
  strict_waiting_ += in;
  char* from = strict_waiting_.data();
  std::size_t left = strict_waiting_.size();
  char piece[4096];
  while (left > 0 && !lossy_) {
    char* to = piece;
    std::size_t room = sizeof piece;
    if (iconv(strict_.get(), &from, &left, &to, &room) != static_cast<std::size_t>(-1)) continue;
    if (errno == EINVAL) break;
    lossy_ = lossy_ || errno == EILSEQ;
  }
  strict_waiting_.erase(0, strict_waiting_.size() - left);
}

void charset_decoder::finish(std::string& out) {
  if (!waiting_.empty()) replace_one(out);
  waiting_.clear();
  char piece[64];
  char* to = piece;
  std::size_t room = sizeof piece;
  iconv(handle_.get(), nullptr, nullptr, &to, &room);
  out.append(piece, sizeof piece - room);
}

void line_end_decoder::decode(octets in, std::string& out) {
  for (const char c : in) {
    if (cr_ && c != '\n') out += '\r';
    cr_ = c == '\r';
    if (!cr_) out += c;
  }
}

void line_end_decoder::finish(std::string& out) {
  if (cr_) out += '\r';
  cr_ = false;
}

}  // namespace ima::translate
