#include "maildir_view.hpp"

// In place of maildir_view.cpp where libima is built without translation.

namespace ima::tools {

result<std::vector<error>> update_maildir(mailbox::mailbox&, const std::string& directory) {
  return error{fault::caller, "no-translation", directory,
               "this program was built without Internet mail, so it can keep no Maildir"};
}

}  // namespace ima::tools
