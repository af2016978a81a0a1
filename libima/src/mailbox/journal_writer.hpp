#pragma once

#include "mailbox/index.hpp"
#include "mailbox/journal.hpp"
#include "mailbox/layout.hpp"

#include <ima/mailbox/file_system.hpp>

#include <functional>
#include <string>

namespace ima::mailbox {

/// Puts another journal in the place of a mailbox's, with the lock held: of a new generation, it
/// says of each folder and message what `known` does, in the order in which the messages came,
/// without those that `keep` refuses. It is the old one or the new one, whenever the power goes.
result<void> replace_journal(file_system& files, const layout::tree& tree, index& known,
                             const std::function<result<bool>(const std::string& id)>& keep);

}  // namespace ima::mailbox
