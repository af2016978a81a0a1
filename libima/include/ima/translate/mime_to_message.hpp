#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/translate/remark.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace ima::translate {

/// Takes octets that a translation makes; an error of it ends the translation.
using octet_writer = std::function<result<void>(octets piece)>;

/// A message of Internet mail (RFC 5322, MIME) as an IMA message, by the rules of
/// docs/translation.md. Everything a person can see in it is there; what was signed is there octet
/// for octet; what a message cannot say is in the remarks, and kept. Any octets are some message:
/// bad input makes remarks, not errors. Memory is bounded whatever the input is; bodies stay in the
/// source, which is read once to measure and once to write.
///
/// Movable; not thread-safe. The source outlives it and does not change meanwhile.
class IMA_API mime_to_message {
 public:
  /// Translates the first `size` octets of `mail`. Errors: those of the source; fault::peer with a
  /// rule of docs/message.md section 7 where the bodies are more than `bounds` allow; fault::caller
  /// `header-limit` where `bounds` leave no room for a header block.
  static result<mime_to_message> translate(body_source& mail, std::uint64_t size,
                                           const limits& bounds = {});
  mime_to_message(mime_to_message&&) noexcept;
  mime_to_message& operator=(mime_to_message&&) noexcept;
  ~mime_to_message();

  /// Complete, with the digests of its parts. It lives as long as this.
  const header_block& header() const noexcept;
  /// What a message cannot say in the same way; complete after translate(). Lives as long as this.
  std::span<const remark> remarks() const noexcept;

  /// Hands the parts' octets to `take`, in order: header().body_size() in all. May be called again.
  /// Errors: those of the source and of `take`.
  result<void> write_body(const octet_writer& take);

 private:
  struct state;
  explicit mime_to_message(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::translate
