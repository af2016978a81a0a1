#include "mirror/failures.hpp"
#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <span>
#include <utility>

// What is new at the post office, without its bodies.

namespace ima::mirror {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

result<void> mirror::state::list(const on_message& report) {
  states_.clear();
  failures_.clear();
  IMA_TRY(folders, choose_folders());
  for (const auto& folder : folders) IMA_CHECK(list_folder(folder.name, report));
  return {};
}

// The first time, what was brought is not new. A message whose flags changed was reported when it
// came: only one that was not read yet is new.
result<void> mirror::state::list_folder(const std::string& folder, const on_message& report) {
  IMA_TRY(listed, notes_.token(subject::listed, folder));
  IMA_TRY(brought, notes_.token(subject::there, folder));
  IMA_TRY(missed, notes_.get_messages(subject::unlisted, folder));
  std::string token = listed == retrieval::first_token ? std::move(brought) : std::move(listed);
  std::vector<retrieval::entry> unread;
  for (auto& [id, entry] : std::exchange(missed, {})) unread.push_back(std::move(entry));
  for (bool more = true; more;) {
    IMA_TRY(got, next_page(folder, token));
    for (retrieval::change& change : got.changes) {
      std::erase_if(unread, [&](const retrieval::entry& e) { return e.id == change.id; });
      missed.erase(change.id);
      if (change.present && !contains(change.present->flags, "seen"))
        unread.push_back(*std::move(change.present));
    }
    IMA_CHECK(list_messages(folder, std::exchange(unread, {}), missed, report));
    IMA_CHECK(notes_.set_messages(subject::unlisted, folder, missed));
    token = std::move(got.token);
    more = got.more;
    IMA_CHECK(notes_.set(subject::listed, folder, token));
  }
  states_.push_back({folder, token});
  return {};
}

result<void> mirror::state::list_messages(const std::string& folder,
                                          const std::vector<retrieval::entry>& unread,
                                          notes::messages& missed, const on_message& report) {
  std::vector<std::string> ids;
  for (const retrieval::entry& entry : unread) ids.push_back(entry.id);
  const auto failed = [&](const std::string& id, const error& why) {
    missed[id] = *std::ranges::find(unread, id, &retrieval::entry::id);
    failures_.push_back({why.kind, unavailable, folder + "/" + id, why.message()});
  };
  const auto take = [&](std::string_view id, octets block, octets record) -> result<void> {
    const auto header = header_block::parse(block, options_.bounds);
    if (header)
      report({folder, std::string(id),
              std::string(mailbox::record_value(record, "verified-domain")),
              std::string(header->first("from").value_or("")), std::string(header->subject())});
    else
      failed(std::string(id), header.error());
    return {};
  };
  return headers(folder, ids, take, failed);
}

}  // namespace ima::mirror
