#pragma once

#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/retrieval/types.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What stands behind a post office. A server calls these on its worker threads, never on an event
// loop, so they may block and sync. An authenticator is called from many threads at once; an
// account belongs to one connection and is called by one thread at a time, but several accounts of
// the same user exist at once.
//
// Errors whose rule is a word of docs/retrieval.md section 7 (make them with refusal()) reach the
// user as that word; every other error reaches him as `storage` or `internal`, its text only the
// log.

namespace ima::retrieval {

/// What the TLS layer knows of the client's certificate.
struct certificate_facts {
  digest key;  ///< SHA-256 of the SubjectPublicKeyInfo (DER).
  std::vector<std::string>
      operator_ca_names;  ///< User names in it, where the operator's CA signed.
};

/// Octets of one part of one message. The message stays readable until it is destroyed, even where
/// it is deleted meanwhile.
class part_source {
 public:
  virtual ~part_source() = default;
  virtual std::uint64_t size() const noexcept = 0;
  /// Fills `into` from `offset`; returns how many octets, less than asked only at the end.
  virtual result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
};

/// One authenticated user's mail.
class account {
 public:
  virtual ~account() = default;

  virtual result<std::vector<folder_info>> folders() = 0;
  virtual result<folder_status> status(std::string_view folder) = 0;
  /// At most `page` lines after `token`. Refusals: no_folder, resync.
  virtual result<change_page> changes(std::string_view folder, std::string_view token,
                                      std::uint64_t page) = 0;
  /// Nothing where the message is not in the folder.
  virtual result<std::optional<stored_header>> header(std::string_view folder,
                                                      std::string_view id) = 0;
  /// `part` counts from 1. Refusals: no_folder, no_message, no_part.
  virtual result<std::unique_ptr<part_source>> open_part(std::string_view folder,
                                                         std::string_view id,
                                                         std::uint64_t part) = 0;

  /// The following are durable when they return; one outcome for each id, in order.
  virtual result<std::vector<message_outcome>> flag(std::string_view folder,
                                                    std::span<const std::string> ids,
                                                    const flag_change& what) = 0;
  virtual result<std::vector<message_outcome>> remove(std::string_view folder,
                                                      std::span<const std::string> ids) = 0;
  virtual result<std::vector<message_outcome>> move(std::string_view folder,
                                                    std::string_view target,
                                                    std::span<const std::string> ids) = 0;
  /// The copies' ids, in order; empty where the message is not in the folder.
  virtual result<std::vector<std::string>> copy(std::string_view folder, std::string_view target,
                                                std::span<const std::string> ids) = 0;
};

/// Decides who a user is. Does the same work for an unknown user as for a wrong password, and
/// answers both with refusal(reason::auth, …).
class authenticator {
 public:
  virtual ~authenticator() = default;
  virtual result<std::unique_ptr<account>> by_password(std::string_view user, octets password) = 0;
  virtual result<std::unique_ptr<account>> by_certificate(std::string_view user,
                                                          const certificate_facts& facts) = 0;
};

}  // namespace ima::retrieval
