#pragma once

#include "service/change_hub.hpp"
#include "service/idle_indexer.hpp"
#include "service/submissions.hpp"

#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/service/post_office.hpp>

#include <memory>
#include <optional>
#include <string>

namespace ima::service {

/// What the accounts of a post office share; outlives them.
struct office_parts {
  user_directory& users;
  change_hub& changes;
  submissions& sent;
  idle_indexer& indexer;
  mail_submitter* sender = nullptr;  ///< Null: nothing can be sent here.
  std::uint64_t most_folders = 0;
};

/// Who an account was opened for.
struct proved_user {
  std::string name;  ///< Empty where nobody was proved: he can neither send nor change a password.
  std::optional<retrieval::certificate_facts> certificate;  ///< Nothing: a password proved him.
};

/// A user's mailbox, which is at `path`, as the retrieval protocol sees it.
std::unique_ptr<retrieval::account> make_account(office_parts parts, proved_user user,
                                                 std::string path,
                                                 std::shared_ptr<mailbox::mailbox> mail);

}  // namespace ima::service
