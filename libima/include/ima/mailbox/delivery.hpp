#pragma once

#include <ima/address.hpp>
#include <ima/date.hpp>
#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/message.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::mailbox {

/// What the server itself knows of a message, kept beside it and never derived from what a sender
/// wrote (docs/mailbox.md section 4). Texts are UTF-8 without control characters and may be empty.
struct record {
  std::string verified_domain;     ///< What the peer's certificate proved.
  std::string peer;                ///< The peer's network address.
  std::string tls;                 ///< Protocol and cipher.
  std::string certificate;         ///< SHA-256 of the peer's certificate, hexadecimal.
  timestamp received;              ///< When the server took it.
  std::string recipient;           ///< The address it was delivered for.
  std::string folder = "inbox";    ///< Where it is taken in.
  std::vector<std::string> flags;  ///< The flags it begins with.
  std::string origin;              ///< Of a copy from another mailbox: which one, and its id there.
};

/// The value of the line `name` in a record's octets, as stored_header and a post office give them
/// (docs/mailbox.md section 4), whatever else they hold; empty where there is none. A view of
/// `record`.
IMA_API std::string_view record_value(octets record, std::string_view name);

/// One mailbox that gets the message.
struct target {
  std::string path;                  ///< The mailbox's directory.
  std::optional<address> recipient;  ///< Whose `bcc:` and `for:` lines stay; nothing keeps all.
  record note;                       ///< What the server's own record is to say.
  bool apart = false;  ///< A copy with an id of its own, never recognised as a duplicate.
};

/// How one target ended.
struct delivered {
  std::string id;        ///< The message's id in that mailbox.
  bool already = false;  ///< It was there, or had been and was deleted of late. Nothing was stored.
};

/// True where the mailbox at `path` has, or had of late, the message with this digest, and that is
/// on disk. Takes no lock; for the header stage; thread-safe. Errors: those of file_system.
IMA_API result<bool> contains(file_system& files, const std::string& path, const digest& id);
/// True where the mailbox at `path` remembers that the message with this digest was deleted
/// (docs/mailbox.md section 10, tombstone). Takes no lock; thread-safe. Errors: those of
/// file_system.
IMA_API result<bool> was_deleted(file_system& files, const std::string& path, const digest& id);

/// Stores one message in one or several mailboxes (docs/mailbox.md section 6). Takes no lock, so
/// any number of deliveries run at once; memory and open files do not grow with message or targets;
/// attachments are written once and hard-linked where that works.
/// Destroying it before commit() removes what it began. Movable; one thread at a time; the file
/// system outlives it.
///
///     auto d = ima::mailbox::delivery::begin(files, header, {{path, recipient, record}});
///     … d->write(slice) for every slice of the body_reader …
///     for (auto& outcome : d->commit()) …
class IMA_API delivery {
 public:
  /// Opens what is needed. A target that fails keeps its error for commit(), `mailbox-format` where
  /// there is no mailbox; the others go on. Errors: fault::caller `delivery-targets` (none), and of
  /// a record `record-text` (with a control, or too long), `folder-name`, `flag`.
  static result<delivery> begin(file_system& files, const header_block& header,
                                std::vector<target> targets);
  delivery(delivery&&) noexcept;
  delivery& operator=(delivery&&) noexcept;
  ~delivery();

  /// The id that the message will have in the mailbox of a target, which counts from 0.
  const std::string& id(std::size_t target) const noexcept;

  /// Takes the next slice of the message's body_reader. One target gets it now, the others at the
  /// end; an error is that target's, and becomes all others' too. Errors: those of file_system;
  /// fault::caller `delivery-incomplete` for a slice out of order, which changes nothing.
  result<void> write(const part_slice& slice);

  /// Makes it durable and visible; one outcome for each target, in order. Without an error the
  /// message is on disk when this returns. Called once. Every outcome is fault::caller
  /// `delivery-incomplete` before the last slice of every part was written.
  std::vector<result<delivered>> commit();

 private:
  struct state;
  explicit delivery(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::mailbox
