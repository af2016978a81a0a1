#include "translate/codec.hpp"

#include "translate/mime_words.hpp"

namespace ima::translate {
namespace {

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
