#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstdint>
#include <string>

// Limits that lie in the mailbox itself, so that deliverers and post offices on every host go by
// the same (docs/mailbox.md section 8).

namespace ima::mailbox {

/// 0 is no limit.
struct quota_limits {
  std::uint64_t octets = 0;    ///< Header blocks and parts of all messages.
  std::uint64_t messages = 0;  ///< In all folders.

  friend bool operator==(const quota_limits&, const quota_limits&) = default;
};

/// The limits of a mailbox beside what it holds.
struct quota_status {
  quota_limits limits;         ///< What may be.
  std::uint64_t octets = 0;    ///< What the folders hold.
  std::uint64_t messages = 0;  ///< The same in messages.
};

/// True where a message of this size may still be delivered to the mailbox at `path`; what waits in
/// new/ counts. For the header stage: takes no lock, opens no index, reads two small pieces, and
/// looks at what waits only where there is a limit. Deliveries in flight at the same time may
/// overshoot. Thread-safe. Errors: those of file_system; fault::temporary `quota-damaged`,
/// `journal-damaged`.
IMA_API result<bool> room_for(file_system& files, const std::string& path, std::uint64_t octets);

}  // namespace ima::mailbox
