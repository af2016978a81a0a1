#pragma once

#include "translate/uudecoder.hpp"

#include <ima/error.hpp>

#include <gmime/gmime.h>

#include <cstddef>
#include <string>
#include <string_view>

// Octets on their way between a MIME body and an IMA part, piece by piece in constant memory.

namespace ima::translate {

/// A content transfer encoding (RFC 2045 section 6), or uuencode.
enum class transfer { identity, base64, quoted_printable, uuencode };

/// By the value of Content-Transfer-Encoding, whose first word counts. `known` is false where it
/// names none of them.
struct transfer_name {
  transfer encoding = transfer::identity;
  bool known = true;
};
transfer_name transfer_of(std::string_view value) noexcept;
std::string_view name_of(transfer encoding) noexcept;

/// Undoes a transfer encoding. Each call appends to `out`.
class transfer_decoder {
 public:
  explicit transfer_decoder(transfer encoding);
  void decode(octets in, std::string& out);
  void finish(std::string& out);
  /// False once the input held octets that its encoding has no meaning for and that were dropped,
  /// and behind finish() where a file in uuencode is not whole.
  bool clean() const noexcept { return clean_ && uuencoded_.clean(); }
  /// The name that a file in uuencode has, or empty.
  std::string_view file_name() const noexcept { return uuencoded_.name(); }

 private:
  void decode_base64(octets in, std::string& out);

  transfer encoding_;
  GMimeEncoding state_{};
  bool clean_ = true;
  bool padded_ = false;  // base64 has ended with "="
  unsigned bits_ = 0;    // of base64, the last `count_` are to be written
  unsigned count_ = 0;
  uudecoder uuencoded_;
};

/// Writes base64 or quoted-printable, in lines that end in LF.
class transfer_encoder {
 public:
  explicit transfer_encoder(transfer encoding);
  void encode(octets in, std::string& out);
  void finish(std::string& out);

 private:
  transfer encoding_;
  GMimeEncoding state_{};
};

/// Turns CRLF into LF.
class line_end_decoder {
 public:
  void decode(octets in, std::string& out);
  void finish(std::string& out);

 private:
  bool cr_ = false;  // a CR is waiting for what comes next
};

}  // namespace ima::translate
