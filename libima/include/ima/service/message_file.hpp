#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace ima::service {

class composition;

/// A whole message in a file, or from a stream that is put aside on disk first. Checked as it is
/// opened: every rule of docs/message.md, every part's digest, and nothing behind the last part.
/// Movable; not thread-safe.
class IMA_API message_file : public body_source {
 public:
  /// "-" is standard input. Errors: fault::caller, rule `no-input`, where the file cannot be
  /// opened; fault::peer with the rules of docs/message.md, and `trailing` for octets after the
  /// message; fault::temporary, rule `storage`.
  static result<message_file> open(const std::string& path, const limits& bounds = {});
  /// A message that was just made, which is put aside on disk. Errors: those of
  /// composition::write; fault::peer and fault::temporary as above.
  static result<message_file> of(composition& message, const limits& bounds = {});
  message_file(message_file&&) noexcept;
  message_file& operator=(message_file&&) noexcept;
  ~message_file() override;

  /// Checked, as the parts were. It lives as long as the file.
  const header_block& header() const noexcept;
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override;

 private:
  struct state;
  explicit message_file(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// Reads exactly one header block from a file, or from standard input for "-". Errors:
/// fault::caller, rule `no-input`; those of header_block::parse; fault::temporary, rule `storage`.
IMA_API result<header_block> read_header(const std::string& path, const limits& bounds = {});

}  // namespace ima::service
