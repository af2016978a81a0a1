#pragma once

#include <ima/address.hpp>
#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The words of the delivery protocol (docs/delivery.md), shared by both sides and by handlers.

namespace ima::delivery {

/// Why a message is refused at the header stage; a closed list (docs/delivery.md section 6).
enum class reason : std::uint8_t {
  syntax,       ///< The header block breaks a rule of the message format.
  identity,     ///< The certificate does not prove the originator's hostpart.
  size,         ///< Header block or body over the receiver's limit.
  recipients,   ///< None named, too many, or one that does not exist here.
  quota,        ///< Every recipient's mailbox is full.
  policy,       ///< The operator's rules.
  loop,         ///< Too many `received:` lines, or this host's own `via:`.
  in_progress,  ///< The same message is being worked on ("in-progress").
  lapsed,       ///< An ACCEPT that was not used in time.
  busy,         ///< Too much at once.
  storage,      ///< The store fails or is full.
  shutdown,     ///< The server is stopping.
  internal,     ///< A fault on the receiver's side.
};
/// The word as it stands on the wire; a literal, as those of the other words here.
IMA_API std::string_view to_string(reason r) noexcept;
/// The reason of a word; nothing where this version does not know it.
IMA_API std::optional<reason> reason_from(std::string_view word) noexcept;
/// Whether a header block may be refused with this reason: for good, or for now.
IMA_API bool may_refuse(reason why, bool for_good) noexcept;

/// What became of a message for one recipient.
enum class outcome : std::uint8_t {
  ok,            ///< Durable, or taken over by a command.
  fail,          ///< For good.
  defer,         ///< For now.
  no_recipient,  ///< The address does not exist here (for good).
};
/// "OK", "FAIL", "DEFER", "NORECIPIENT".
IMA_API std::string_view to_string(outcome o) noexcept;

/// What became of a message for one recipient.
struct recipient_result {
  address recipient;              ///< As the message names him.
  outcome what = outcome::defer;  ///< The word of his line.
  std::string text;               ///< For people; may be empty.
};

/// What became of a message as a whole (docs/delivery.md section 8).
enum class verdict : std::uint8_t { ok, fail, partial, defer };
/// "OK", "FAIL", "PARTIAL", "DEFER".
IMA_API std::string_view to_string(verdict v) noexcept;

/// What the receiver knows about the sending server, from the connection and never from headers.
struct peer_info {
  std::string host;             ///< Our hostpart that the connection was opened for (SNI).
  std::string verified_domain;  ///< The originator's hostpart, proved by the certificate.
  std::string address;          ///< "127.0.0.1:4711" or "[::1]:4711".
  std::string tls;              ///< "TLSv1.3/TLS_AES_256_GCM_SHA384".
  digest certificate;           ///< SHA-256 of the leaf certificate (DER).
};

}  // namespace ima::delivery
