#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ima::translate {

/// Mail on its way to its recipients (docs/translation.md section 9): its octets without the fields
/// Bcc and Resent-Bcc, whatever else is wrong with it, so that nothing made of them can show who
/// stood there; and the fields that say whom it goes to. Memory is bounded; the body stays in the
/// source, which outlives this and does not change. Movable; not thread-safe.
class IMA_API outgoing_mail : public body_source {
 public:
  /// Reads the header of the first `size` octets of `mail`. Errors: those of the source;
  /// fault::temporary, rule `storage`.
  static result<outgoing_mail> read(body_source& mail, std::uint64_t size);
  outgoing_mail(outgoing_mail&&) noexcept;
  outgoing_mail& operator=(outgoing_mail&&) noexcept;
  ~outgoing_mail() override;

  /// Octets without the fields that went.
  std::uint64_t size() const noexcept;
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override;

  /// The values of To, Cc and Bcc, or, in mail that was sent on by a person, of Resent-To,
  /// Resent-Cc and Resent-Bcc alone (RFC 5322 section 3.6.6). Valid as long as this. Error:
  /// fault::caller, rule `header-limit` (they are more than 512 KiB, or a line of theirs is more
  /// than 64 KiB).
  result<std::span<const std::string>> recipient_fields() const;

 private:
  struct state;
  explicit outgoing_mail(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::translate
