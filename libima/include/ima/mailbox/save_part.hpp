#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <string>

namespace ima::mailbox {

/// Writes a part of a message to a new file with mode 0600. The file gets its name once it is whole
/// and on disk, and never that of a file that is there; a process that is killed before leaves one
/// whose name begins with `.ima-save-`. Constant memory. Errors: those of the part and of
/// file_system, `file-exists` among them; fault::temporary `message-damaged` (the part is shorter
/// than it says).
IMA_API result<void> save_part(const part_source& part, file_system& files,
                               const std::string& directory, const std::string& name);

}  // namespace ima::mailbox
