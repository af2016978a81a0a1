#include "maildir_view.hpp"

#include <ima/limits.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/translate/maildir_mirror.hpp>

namespace ima::tools {

// What a Maildir cannot say stays in the mailbox, so the remarks about it are for nobody.
result<void> update_maildir(mailbox::mailbox& box, const std::string& directory) {
  limits bounds;
  bounds.body = UINT64_MAX;  // what is in a mailbox was welcome there
  const auto done = translate::mirror_to_maildir(
      box, mailbox::posix_file_system(), directory, [](const auto&, const auto&) {}, bounds);
  return done ? result<void>() : done.error();
}

}  // namespace ima::tools
