#pragma once

#include "mirror/downloads.hpp"
#include "mirror/notes.hpp"
#include "mirror/own_changes.hpp"

#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/mirror/mirror.hpp>
#include <ima/net/retrieval_client.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ima::mirror {

/// What a mirror is within: the public class hands each call on to it.
struct mirror::state {
 public:
  state(net::retrieval_client& remote, mailbox::mailbox& local, download_folder::state& downloads,
        mirror_options options)
      : remote_(remote),
        local_(local),
        downloads_(downloads),
        notes_(local, options.source),
        options_(std::move(options)) {}

  result<void> update(const on_message& report, const on_progress& progress);
  result<void> list(const on_message& report);
  bool brings_all() const noexcept { return options_.folders.empty(); }
  const std::vector<error>& failures() const noexcept { return failures_; }
  const std::vector<retrieval::watched_folder>& states() const noexcept { return states_; }

 private:
  using subject = notes::subject;
  // What was done here since the last time.
  struct local_change {
    std::vector<std::string> flags;
    std::string moved_to;  // the folder it is in now, where that is another
    bool gone = false;     // from this folder
  };
  using local_changes = std::map<std::string, local_change>;  // by the id here
  // What is left to do in a folder once every folder's messages are here: only then can a message
  // that left one folder be told from one that moved to another.
  struct folder_end {
    std::string folder;
    std::string token;           // there, up to which the folder is here
    std::string generation;      // of the journal here
    bool known = false;          // what is here is what was left; else it may lack some
    std::set<std::string> gone;  // by the id there
    bool whole = false;          // the list there was of everything
    bool compare = false;        // what that list does not name left the folder
    std::string compare_from{retrieval::first_token};  // the state here since which that holds
    std::unordered_set<std::size_t> named;             // hashes of ids here: a list may be long
    std::vector<std::string> brought;                  // whole here: may be deleted there
    notes::messages again;                             // could not be brought by an earlier run
    notes::messages missed;                            // nor by this one
    // Two-way:
    std::string here;               // the state of the local folder that was looked at
    local_changes mine;             // what people did in it
    bool another = false;           // it is not the one that was brought before
    std::set<std::string> strayed;  // ids here that runs moved out of it
  };
  struct fetched_header {
    std::string id;
    std::string block;
    std::string record;
  };

  // mirror.cpp.
  result<std::vector<folder_end>> bring_all(const std::vector<retrieval::folder_info>& folders,
                                            const on_message& report);
  result<void> open_own();
  result<void> end_own();
  bool is_brought(std::string_view folder) const;

  // bring.cpp: what changed there.
  result<folder_end> bring(const std::string& folder, const on_message& report);
  result<void> begin_here(const std::string& folder);
  result<void> bring_pages(folder_end& end, const on_message& report);
  result<void> bring_lost(folder_end& end, const on_message& report);
  result<retrieval::change_page> next_page(const std::string& folder, std::string& token);
  result<void> begin_list(folder_end& end);
  result<std::vector<retrieval::entry>> missing(folder_end& end,
                                                std::vector<retrieval::change>& changes);
  result<bool> adapt(folder_end& end, const retrieval::entry& entry);
  const local_change* done_here(folder_end& end, const std::string& id);
  result<void> keep_mine(const std::string& folder, const std::string& id,
                         const local_change& mine);
  bool is_echo(folder_end& end, const std::string& id, const retrieval::entry& entry);
  result<bool> place(folder_end& end, const std::string& id, const retrieval::entry& entry);
  enum class old_flags : std::uint8_t { kept, replaced };
  result<std::optional<mailbox::entry>> refile(const std::string& folder, const std::string& id,
                                               old_flags its);
  result<bool> set_flags(const std::string& folder, const mailbox::entry& here,
                         const retrieval::entry& there);
  result<void> put_back(const folder_end& end);
  result<void> settle(folder_end& end);
  result<void> note(folder_end& end);
  result<void> will_do(std::span<const own_changes::change> changes);

  // folders.cpp.
  result<std::vector<retrieval::folder_info>> choose_folders();
  result<void> make_folders(const std::vector<retrieval::folder_info>& folders);
  result<void> free_role(const retrieval::folder_info& there, std::vector<mailbox::folder>& here);
  result<void> make_folder(const retrieval::folder_info& there,
                           const std::vector<mailbox::folder>& here);
  result<void> drop_folders();
  result<void> drop_folder(const std::string& name);
  result<void> sweep_folder(const std::string& name);

  // fetch.cpp: messages that are not here.
  using take_header = net::retrieval_client::take_header;
  using on_failure = std::function<void(const std::string& id, const error& why)>;
  result<void> headers(const std::string& folder, std::span<const std::string> ids,
                       const take_header& take, const on_failure& failed);
  result<void> fetch_all(folder_end& end, std::span<const retrieval::entry> entries,
                         const on_message& report);
  result<void> fetch_some(folder_end& end, std::span<const retrieval::entry> entries,
                          const on_message& report);
  result<bool> fetch(folder_end& end, const retrieval::entry& entry, const fetched_header& got,
                     const on_message& report);
  result<bool> is_wanted(const folder_end& end, const retrieval::entry& entry,
                         const header_block& header);
  result<bool> had_copy(const std::string& folder, const std::string& id,
                        const header_block& header);
  result<std::string> store(const std::string& folder, const retrieval::entry& entry,
                            const header_block& header, const mailbox::record& note);
  mailbox::record note_of(octets record, const std::string& folder,
                          const retrieval::entry& entry) const;
  void miss(folder_end& end, const retrieval::entry& entry, const error& why);

  // receive.cpp: the parts of one.
  using take_octets = net::retrieval_client::take_octets;
  result<void> receive_parts(const std::string& folder, const std::string& id,
                             const header_block& header, mailbox::delivery& into);
  result<void> receive_part(const std::string& folder, const std::string& id, std::uint64_t number,
                            const part_info& part, const take_octets& take);
  result<void> complete(partial_download& kept, const std::string& folder, const std::string& id,
                        std::uint64_t number, const part_info& part);
  result<void> range(const std::string& folder, const std::string& id, std::uint64_t number,
                     std::uint64_t offset, std::uint64_t length, const take_octets& keep);

  // gone.cpp: what is there no more.
  result<void> remove_gone(folder_end& end);
  result<void> ask_for_gone(const std::vector<folder_end>& ends);
  result<std::vector<std::string>> gone_here(const folder_end& end);
  result<std::vector<std::string>> left_for_good(const std::vector<std::string>& gone);
  result<void> unpair_deleted(const std::vector<std::string>& gone);
  result<void> remove_moved(const std::string& folder, const std::vector<std::string>& ids);
  result<void> remove_from(const std::map<std::string, std::string>& places);
  result<void> remove_all(const std::string& folder, const std::vector<std::string>& ids);
  result<void> remove(const std::string& folder, std::span<const std::string> ids);
  result<std::vector<std::string>> not_named(const folder_end& end);
  result<std::vector<std::string>> had_nowhere_else(const std::string& folder,
                                                    const std::vector<std::string>& ids);
  result<std::vector<std::string>> origins(const std::string& folder, const std::string& id);
  result<bool> is_from_there(const std::string& folder, const std::string& id);
  result<bool> was_expected(const std::string& folder, const std::string& id);
  result<void> claim(const std::string& folder, const std::string& id);
  result<std::set<std::string>> in_folder_there(const std::string& folder,
                                                const std::vector<std::string>& ids);
  result<std::map<std::string, std::string>> still_there(const std::vector<std::string>& ids);
  result<void> delete_there(const folder_end& end);

  // look.cpp: what was done here.
  result<void> look_here(folder_end& end);
  result<void> pair_copies(const folder_end& end);
  result<void> look_again(folder_end& end);
  result<void> read_changes(folder_end& end, const std::string& from);
  result<void> compare_here(folder_end& end, const std::string& since);
  result<void> compare(folder_end& end, const retrieval::entry& there, const std::string& since);
  result<void> take_note(folder_end& end, const mailbox::entry& here, const std::string& since);
  result<local_change> describe(const std::string& folder, const mailbox::entry& here);
  result<bool> was_here(const std::string& id);
  result<void> look_at_departed();
  result<void> forget_departed();

  // push.cpp: it goes there.
  result<void> push_meanwhile(folder_end& end);
  result<void> push(const std::string& folder, const local_changes& changes);
  result<std::string> id_to_send(const std::string& folder, const std::string& id,
                                 const local_change& change);
  result<void> will_send(const std::string& folder, const local_changes& changes);
  result<void> push_moves(const std::string& folder, const std::string& target,
                          const std::vector<std::string>& ids);
  result<void> push_deletions(const std::string& folder, const std::vector<std::string>& ids);
  result<bool> was_deleted_here(const std::string& id);
  result<void> make_there(const std::string& folder);
  result<void> answered(const std::string& folder, result<void> outcome);

  // list.cpp.
  result<void> list_folder(const std::string& folder, const on_message& report);
  result<void> list_messages(const std::string& folder, const std::vector<retrieval::entry>& unread,
                             notes::messages& missed, const on_message& report);

  net::retrieval_client& remote_;
  mailbox::mailbox& local_;
  download_folder::state& downloads_;
  notes notes_;
  mirror_options options_;
  std::vector<std::string> folders_;  // of the local mailbox
  std::set<std::string> there_;       // folders of the post office
  std::vector<std::string> made_;     // of these, what this run made
  std::vector<retrieval::watched_folder> states_;
  std::vector<error> failures_;
  bool keeps_ = false;  // nothing is deleted here
  // Where there what left a folder, and was still in it here, is now; empty for nowhere.
  std::map<std::string, std::string> elsewhere_;
  // Two-way:
  std::optional<own_changes> own_;  // what runs themselves did and sent
  std::set<std::string> begun_;     // folders here in which what people do is known
  local_changes departed_;          // what people did in folders that are there no more
  bool listed_afresh_ = false;      // the post office did not know how far a folder was brought
  const on_progress* progress_ = nullptr;
  mirror_progress so_far_;
};

}  // namespace ima::mirror
