#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/translate/mime_to_message.hpp>
#include <ima/translate/remark.hpp>

#include <memory>
#include <span>

namespace ima::translate {

/// An IMA message as Internet mail (RFC 5322, MIME), by the rules of docs/translation.md; the
/// result can go through any mail system, its header is seven-bit where the addresses are.
/// Translated back, it is the same message with the same digest. Memory is constant in the size of
/// the parts, which are read twice.
///
/// Movable; not thread-safe. The body outlives it and does not change meanwhile.
class IMA_API message_to_mime {
 public:
  /// Errors: those of `body`; fault::peer `part-digest`.
  static result<message_to_mime> translate(const header_block& header, body_source& body,
                                           const limits& bounds = {});
  message_to_mime(message_to_mime&&) noexcept;
  message_to_mime& operator=(message_to_mime&&) noexcept;
  ~message_to_mime();

  /// What mail cannot say in the same way; complete after translate(). Lives as long as this.
  std::span<const remark> remarks() const noexcept;

  /// Hands the mail to `take`. Lines end in LF, or in CRLF where a part that must stay as it is has
  /// them. May be called again. Errors: those of the body and of `take`.
  result<void> write(const octet_writer& take);

 private:
  struct state;
  explicit message_to_mime(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::translate
