#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/translate/transfer.hpp>

#include <cstdint>
#include <string>

namespace ima::translate {

/// What an update of a mirror did.
struct mirror_changes {
  std::uint64_t written = 0;    ///< Messages that became files.
  std::uint64_t removed = 0;    ///< Files of messages that left their folder.
  std::uint64_t flags_out = 0;  ///< Files that got the flags of their message.
  std::uint64_t flags_in = 0;   ///< Messages that got the flags of their file.
  std::uint64_t left_out = 0;   ///< Messages that were reported with a problem.
};

/// Makes a Maildir show what a mailbox holds, for mail programs that read Maildirs: mutt, notmuch,
/// mblaze, Dovecot (docs/translation.md section 8). The mailbox is the truth: messages, folders and
/// deletions go from there to the Maildir; flags go both ways, and where both sides changed those
/// of one message, the Maildir's change is made last. Only files that a mirror wrote are touched.
///
/// Calls `report` for each message that became a file, and for each that could not be read, which
/// the next update tries again.
///
/// Can be interrupted at any instant and repeated, and its reader may work meanwhile: a file that
/// he renames is left to the next update. Memory grows by some 500 octets for each message in the
/// mailbox. Waits while another update of this Maildir is at work.
///
/// Errors: those of the mailbox; fault::caller `transfer-out` (the directory is a mailbox);
/// fault::temporary `storage`, `mirror-state` (the file `.ima-mirror`
/// in the Maildir is damaged; delete it to begin afresh); those of `report`.
IMA_API result<mirror_changes> mirror_to_maildir(mailbox::mailbox& box, mailbox::file_system& disk,
                                                 const std::string& directory,
                                                 const transfer_report& report,
                                                 const limits& bounds = {});

}  // namespace ima::translate
