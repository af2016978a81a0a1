#include "maildir_view.hpp"

#include <ima/limits.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/translate/maildir_mirror.hpp>

#include <cstdint>
#include <utility>

namespace ima::tools {

// What a Maildir cannot say stays in the mailbox, so the remarks about it are for nobody.
result<std::vector<error>> update_maildir(mailbox::mailbox& box, const std::string& directory) {
  limits bounds;
  bounds.body = UINT64_MAX;  // what is in a mailbox was welcome there
  std::vector<error> left_out;
  const auto report = [&](const translate::transferred& one) -> result<void> {
    if (one.problem) left_out.push_back(*one.problem);
    return {};
  };
  const auto done =
      translate::mirror_to_maildir(box, mailbox::posix_file_system(), directory, report, bounds);
  return done ? result<std::vector<error>>(std::move(left_out)) : done.error();
}

}  // namespace ima::tools
