#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/translate/mime_to_message.hpp>
#include <ima/translate/transfer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Messages on their way from one place to another, whatever form they are kept in.

namespace ima::translate {

/// One message where it is.
struct item {
  std::string place;  ///< For people.
  std::string folder = "inbox";
  std::vector<std::string> flags;
  std::chrono::sys_seconds arrived{};   ///< 1970 or before where a source does not know.
  std::unique_ptr<body_source> octets;  ///< The mail; with a header, the message's body.
  std::uint64_t size = 0;               ///< Of `octets`.
  std::optional<header_block> header;   ///< Where it is an IMA message.
  std::optional<error> problem;         ///< It cannot be read, and there are no octets.
  std::vector<remark> remarks;          ///< What its place made uncertain.
  bool left_out = false;                ///< Its place says that it is no mail any more.
};

class item_source {
 public:
  virtual ~item_source() = default;
  /// Nothing at the end.
  virtual result<std::optional<item>> next() = 0;
};

class item_target {
 public:
  virtual ~item_target() = default;
  /// Reads the item and completes `remarks`. The result comes when the message is where it belongs:
  /// false where it was there already.
  virtual std::future<result<bool>> write(item& one, std::vector<remark>& remarks) = 0;
  /// What was written is durable when this returns. `whole` is false where an error ended the
  /// transfer: a file, which nobody could tell from a whole one, is then none.
  virtual result<void> finish(bool whole) = 0;
};

/// A result that is there at once.
std::future<result<bool>> done(result<bool> written);

/// Hands the item on as mail, translated if need be.
result<void> write_mail(item& one, const limits& bounds, std::vector<remark>& remarks,
                        const octet_writer& take);

/// Hands the item on as a message: its header block to `begin`, then its body to `take`.
result<void> write_message(item& one, const limits& bounds, std::vector<remark>& remarks,
                           const std::function<result<void>(const header_block&)>& begin,
                           const octet_writer& take);

/// What tells items apart: the message's digest, or that of the mail's octets.
result<digest> identity_of(item& one);

/// Reads octets `begin` to `end` in pieces.
result<void> copy_octets(body_source& from, std::uint64_t begin, std::uint64_t end,
                         const octet_writer& take);

result<std::unique_ptr<item_source>> open_file_source(const transfer_options& what);
result<std::unique_ptr<item_source>> open_mbox_source(const transfer_options& what);
result<std::unique_ptr<item_source>> open_maildir_source(const transfer_options& what);
result<std::unique_ptr<item_source>> open_mailbox_source(const transfer_options& what);

result<std::unique_ptr<item_target>> open_file_target(const transfer_options& what);
result<std::unique_ptr<item_target>> open_mbox_target(const transfer_options& what);
result<std::unique_ptr<item_target>> open_maildir_target(const transfer_options& what);
result<std::unique_ptr<item_target>> open_mailbox_target(const transfer_options& what);

}  // namespace ima::translate
