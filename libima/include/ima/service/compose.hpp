#pragma once

#include <ima/address.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::service {

/// A file that becomes a part of a message.
struct draft_part {
  std::string file;        ///< A path, or "-" for standard input.
  std::string media_type;  ///< Empty: guessed from the file's name (guess_media_type).
  std::string role;        ///< As in a `part:` line, or empty.
  std::string name;        ///< For `name=`; empty for a part without a name.
};

/// A message to be made.
struct draft {
  std::vector<std::pair<std::string, std::string>> fields;  ///< Header fields, in order.
  std::vector<draft_part> parts;  ///< In the order in which they are to be read.
};

/// A message made from a draft: the header block is known, the bodies are still in their files.
/// Memory does not grow with the size of the files. Movable; not thread-safe.
class IMA_API composition {
 public:
  /// Reads every file once to measure and hash it; what is not a regular file is spooled to an
  /// unnamed temporary one. Errors: those of header_block::parse; fault::caller, rule `part-file`
  /// (cannot be read); fault::temporary, rule `part-spool`.
  static result<composition> prepare(const draft& message, const limits& bounds = {});
  composition(composition&&) noexcept;
  composition& operator=(composition&&) noexcept;
  ~composition();

  /// Complete, with the digests of its parts. It lives as long as the composition.
  const header_block& header() const noexcept;

  /// Writes the message to the descriptor `output`, which stays the caller's; may be called again.
  /// A file that is no longer what prepare() read is an error before the message is complete, so
  /// that what was written is recognisably cut short: fault::temporary, rule `part-changed`. Also
  /// fault::temporary, rule `output`.
  result<void> write(int output);

 private:
  struct state;
  explicit composition(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// A media type by the ending of a file's name; `application/octet-stream` where it says nothing. A
/// literal.
IMA_API std::string_view guess_media_type(std::string_view file_name) noexcept;

/// What a part line can say of a file's name: controls and what is not UTF-8 become U+FFFD, spaces
/// at its end go. Empty for a name of nothing else.
IMA_API std::string name_from_file(std::string_view file_name);

/// A new message id (docs/message.md section 4.2), `random@host`: 130 random bits, so that no two
/// are alike. `host` is taken as it is. Error: fault::temporary, rule `random`.
IMA_API result<std::string> new_message_id(std::string_view host);

/// Reads an address as a person types it, with or without a display name; the hostpart may be in
/// U-labels and any case. Errors as named_address::parse and hostpart_from_unicode.
IMA_API result<named_address> address_from_person(std::string_view text);

}  // namespace ima::service
