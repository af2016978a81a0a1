#pragma once

#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/net/retrieval_client.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::tools {

/// A message that mirror::update() brought in. What is in it comes from strangers.
struct new_message {
  std::string folder;
  std::string id;
  std::string verified_domain;  ///< From the post office's record; empty where it proved none.
  std::string from;
  std::string subject;
};

struct mirror_options {
  std::string path;    ///< Of the local mailbox.
  std::string source;  ///< Names the remote mailbox, among others that one directory may mirror.
  limits bounds;
};

/// Makes a local mailbox what the remote one is: messages, folders, flags, moves and deletions go
/// from there to here, nothing goes back. A message is here whole and checked, or not at all; what
/// an interrupted run did is not done again.
///
/// Where the post office no longer knows our state (refusal `resync`) everything is compared
/// afresh; what was deleted there in the meantime then stays here.
class mirror {
 public:
  using on_message = std::function<void(const new_message&)>;

  mirror(net::retrieval_client& remote, mailbox::mailbox& local, mirror_options options)
      : remote_(remote), local_(local), options_(std::move(options)) {}

  /// Calls `report` for each message as it comes. Errors: those of the client and the mailbox;
  /// fault::peer, rules `header-id`, and those of docs/message.md for what the post office sends.
  result<void> update(const on_message& report);

 private:
  // What is left to do in a folder once every folder's messages are here: only then can a message
  // that left one folder be told from one that moved to another.
  struct folder_end {
    std::string folder;
    std::vector<std::string> gone;
    std::string token;
  };
  struct fetched_header {
    std::string id;
    std::string block;
    std::string record;
  };

  result<void> make_folders(const std::vector<retrieval::folder_info>& folders);
  result<retrieval::change_page> next_page(const std::string& folder, std::string& token);
  result<folder_end> bring(const std::string& folder, const on_message& report);
  result<std::vector<retrieval::entry>> missing(const std::string& folder,
                                                std::vector<retrieval::change>& changes,
                                                std::vector<std::string>& gone);
  result<bool> adapt(const std::string& folder, const retrieval::entry& entry);
  result<void> set_flags(const std::string& folder, const mailbox::entry& here,
                         const retrieval::entry& there);
  result<void> fetch(const std::string& folder, std::span<const retrieval::entry> entries,
                     const on_message& report);
  result<void> fetch(const std::string& folder, const retrieval::entry& entry,
                     const fetched_header& got, const on_message& report);
  result<void> receive_parts(const std::string& folder, const std::string& id,
                             const header_block& header, mailbox::delivery& into);
  result<void> finish(const folder_end& end);

  result<std::string> local_id(const std::string& remote_id);
  std::string state_name(std::string_view folder) const;

  net::retrieval_client& remote_;
  mailbox::mailbox& local_;
  mirror_options options_;
  std::vector<std::string> folders_;  // of the local mailbox
};

}  // namespace ima::tools
