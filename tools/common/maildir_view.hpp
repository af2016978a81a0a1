#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <string>
#include <vector>

namespace ima::tools {

/// Makes the Maildir in `directory` show what the mailbox holds, and takes over the flags that were
/// changed there (translate::mirror_to_maildir()). Returns why messages were left out.
/// Errors: those of that call; fault::caller `no-translation` in a build without it.
result<std::vector<error>> update_maildir(mailbox::mailbox& box, const std::string& directory);

}  // namespace ima::tools
