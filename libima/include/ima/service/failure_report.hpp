#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/service/queue.hpp>

#include <cstdint>
#include <string>

namespace ima::service {

/// A small message that is wholly in memory.
class IMA_API small_message : public body_source {
 public:
  /// The body holds the parts that the header block announces, one behind the other.
  small_message(header_block header, std::string body)
      : header_(std::move(header)), body_(std::move(body)) {}

  /// As it was given.
  const header_block& header() const noexcept { return header_; }
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override;

 private:
  header_block header_;
  std::string body_;
};

/// Tells the originator of a message what a host's recipients do not get, and why: an ordinary
/// message with `auto: report`, the reasons as text, and the original header block as an attachment
/// where it is within the default limit (docs/queue.md section 5). The same failure makes the same
/// message, octet for octet. Errors: those of header_block::parse, for a hostpart or id that is
/// none.
IMA_API result<small_message> failure_report(const header_block& original, std::string_view id,
                                             const queued_host& host);
/// The same where the header block is lost: to `originator`, without an attachment.
IMA_API result<small_message> failure_report(const address& originator, std::string_view id,
                                             const queued_host& host);

}  // namespace ima::service
