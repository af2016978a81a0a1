#pragma once

#include "download_folder.hpp"

#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/net/retrieval_client.hpp>

#include <cstdint>
#include <functional>
#include <set>
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

/// The value of `name` in a post office's record (docs/retrieval.md section 5.5); empty where there
/// is none.
std::string_view record_value(octets record, std::string_view name);

struct mirror_options {
  std::string path;    ///< Of the local mailbox.
  std::string source;  ///< Names the remote mailbox, among others that one directory may mirror.
  std::vector<std::string> folders;  ///< Only these; empty: all.
  bool two_way = false;              ///< Flags, moves and deletions made here go there, too.
  bool delete_after = false;         ///< Messages are deleted there once they are here.
  limits bounds;
};

/// How far a mirror has come with a folder.
struct mirror_progress {
  std::string_view folder;
  std::uint64_t messages = 0;  ///< Brought in so far.
  std::uint64_t octets = 0;    ///< Of parts, so far.
};

/// Makes a local mailbox what the remote one is: messages, folders, flags, moves and deletions go
/// from there to here and, if asked, flags, moves and deletions back. A message is here whole and
/// checked, or not at all; what an interrupted run did is not done again, and a large part goes on
/// where it was broken off.
///
/// Where both sides changed the flags of a message, those of the post office stay. Where the post
/// office no longer knows our state (refusal `resync`) everything is compared afresh; what was
/// deleted there in the meantime then stays here. Where the local mailbox no longer knows the state
/// it was left in, nothing goes back in this run.
class mirror {
 public:
  using on_message = std::function<void(const new_message&)>;
  using on_progress = std::function<void(const mirror_progress&)>;

  /// `downloads` is where broken downloads of this mailbox are kept.
  mirror(net::retrieval_client& remote, mailbox::mailbox& local, download_folder& downloads,
         mirror_options options)
      : remote_(remote), local_(local), downloads_(downloads), options_(std::move(options)) {}

  /// Calls `report` for each message as it comes, and `progress` as octets come. Errors: those of
  /// the client and the mailbox; fault::peer, rules `header-id`, `part-size`, `no-progress`, and
  /// those of docs/message.md for what the post office sends; fault::refused `no-folder` for one
  /// that was asked for and is not there.
  result<void> update(const on_message& report, const on_progress& progress);
  /// Only reports what is new there, and remembers that it did; brings nothing. Errors as update().
  result<void> list(const on_message& report);
  /// The states up to which the folders were brought; what to watch from.
  const std::vector<retrieval::watched_folder>& states() const noexcept { return states_; }

 private:
  // What is left to do in a folder once every folder's messages are here: only then can a message
  // that left one folder be told from one that moved to another.
  struct folder_end {
    std::string folder;
    std::set<std::string> gone;
    std::string token;
    std::vector<std::string> brought;  // whole here: may be deleted there
    std::string here;                  // two-way: the state of the local folder that was looked at
  };
  // What was done here since the last time.
  struct local_change {
    std::string id;
    std::vector<std::string> flags;
    std::string moved_to;  // the folder it is in now, where that is another
    bool gone = false;
  };
  struct fetched_header {
    std::string id;
    std::string block;
    std::string record;
  };

  result<std::vector<retrieval::folder_info>> choose_folders();
  result<void> push_changes(folder_end& end);
  result<std::vector<local_change>> changes_here(folder_end& end);
  result<local_change> describe(const std::string& folder, const mailbox::entry& here);
  result<void> push(const std::string& folder, const std::vector<local_change>& changes);
  result<void> push_one(const std::string& folder, const local_change& change);
  result<void> list(const std::string& folder, const on_message& report);
  result<void> list_page(const std::string& folder, const retrieval::change_page& page,
                         const on_message& report);
  result<void> make_folders(const std::vector<retrieval::folder_info>& folders);
  result<retrieval::change_page> next_page(const std::string& folder, std::string& token);
  result<folder_end> bring(const std::string& folder, const on_message& report);
  result<void> bring_page(folder_end& end, retrieval::change_page& got, const on_message& report);
  result<std::vector<retrieval::entry>> missing(folder_end& end,
                                                std::vector<retrieval::change>& changes);
  result<bool> adapt(const std::string& folder, const retrieval::entry& entry);
  result<void> set_flags(const std::string& folder, const mailbox::entry& here,
                         const retrieval::entry& there);
  result<void> fetch(folder_end& end, std::span<const retrieval::entry> entries,
                     const on_message& report);
  result<void> fetch(const std::string& folder, const retrieval::entry& entry,
                     const fetched_header& got, const on_message& report);
  using take_octets = net::retrieval_client::take_octets;
  result<void> receive_parts(const std::string& folder, const std::string& id,
                             const header_block& header, mailbox::delivery& into);
  result<void> receive_part(const std::string& folder, const std::string& id, std::uint64_t number,
                            const part_info& part, const take_octets& take);
  result<void> complete(partial_download& kept, const std::string& folder, const std::string& id,
                        std::uint64_t number, const part_info& part);
  void count(octets piece);
  result<void> finish(folder_end& end);
  void touch(const std::string& id);

  result<std::string> local_id(const std::string& remote_id);
  std::string state_name(std::string_view folder) const;
  std::string here_name(std::string_view folder) const;
  std::string listed_name(std::string_view folder) const;

  net::retrieval_client& remote_;
  mailbox::mailbox& local_;
  download_folder& downloads_;
  mirror_options options_;
  std::vector<std::string> folders_;  // of the local mailbox
  std::vector<retrieval::watched_folder> states_;
  std::set<std::string> touched_;  // two-way: local ids that this run itself changed
  const on_progress* progress_ = nullptr;
  mirror_progress so_far_;
};

}  // namespace ima::tools
