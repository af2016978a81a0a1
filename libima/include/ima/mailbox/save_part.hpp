#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <string>

namespace ima::mailbox {

/// Reads a part whole and compares it with what its `part:` line says: size and digest. Constant
/// memory. Errors: those of the part; fault::temporary `message-damaged`.
IMA_API result<void> verify_part(const part_source& part, const part_info& line);

/// Writes a part of a message to a new file with mode 0600. `name` is used as it is, so a sender's
/// goes through attachment_name() first. The file gets its name once it is whole, what its `part:`
/// line says, and on disk, and never that of a file that is there; a process that is killed before
/// leaves one whose name begins with `.ima-save-`. Constant memory. Errors: those of verify_part()
/// and of file_system, `file-exists` among them.
IMA_API result<void> save_part(const part_source& part, const part_info& line, file_system& files,
                               const std::string& directory, const std::string& name);

}  // namespace ima::mailbox
