#pragma once

#include "service/change_hub.hpp"
#include "service/submissions.hpp"

#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/service/post_office.hpp>

#include <memory>
#include <string>

namespace ima::service {

/// What the accounts of a post office share; outlives them.
struct office_parts {
  user_directory& users;
  change_hub& changes;
  submissions& sent;
  mail_submitter* sender = nullptr;  ///< Null: nothing can be sent here.
  std::uint64_t most_folders = 0;
};

/// A user's mailbox as the retrieval protocol sees it. `user` is empty for an account that nobody
/// proved: it can neither send nor change a password.
std::unique_ptr<retrieval::account> make_account(office_parts parts, std::string user,
                                                 std::string path,
                                                 std::shared_ptr<mailbox::mailbox> mail);

}  // namespace ima::service
