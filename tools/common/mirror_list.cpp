#include "mirror.hpp"

#include <algorithm>
#include <span>
#include <utility>

// What is new at the post office, without its bodies.

namespace ima::tools {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

result<void> mirror::list(const on_message& report) {
  states_.clear();
  failures_.clear();
  const auto folders = choose_folders();
  if (!folders) return folders.error();
  for (const auto& folder : *folders)
    if (auto good = list_folder(folder.name, report); !good) return good;
  return {};
}

// A message whose flags changed was reported when it came: only one that was not read yet is new.
result<void> mirror::list_folder(const std::string& folder, const on_message& report) {
  auto kept = notes_.get(subject::listed, folder);
  if (!kept) return kept.error();
  auto missed = notes_.get_messages(subject::unlisted, folder);
  if (!missed) return missed.error();
  std::string token = kept->empty() ? std::string(retrieval::first_token) : *std::move(kept);
  std::vector<retrieval::entry> unread;
  for (auto& [id, entry] : std::exchange(*missed, {})) unread.push_back(std::move(entry));
  for (bool more = true; more;) {
    auto got = next_page(folder, token);
    if (!got) return got.error();
    for (retrieval::change& change : got->changes) {
      std::erase_if(unread, [&](const retrieval::entry& e) { return e.id == change.id; });
      missed->erase(change.id);
      if (change.present && !contains(change.present->flags, "seen"))
        unread.push_back(*std::move(change.present));
    }
    if (auto good = list_messages(folder, std::exchange(unread, {}), *missed, report); !good)
      return good;
    if (auto good = notes_.set_messages(subject::unlisted, folder, *missed); !good) return good;
    token = std::move(got->token);
    more = got->more;
    if (auto good = notes_.set(subject::listed, folder, token); !good) return good;
  }
  states_.push_back({folder, token});
  return {};
}

result<void> mirror::list_messages(const std::string& folder,
                                   const std::vector<retrieval::entry>& unread,
                                   mirror_notes::messages& missed, const on_message& report) {
  std::vector<std::string> ids;
  for (const retrieval::entry& entry : unread) ids.push_back(entry.id);
  const auto failed = [&](const std::string& id, const error& why) {
    missed[id] = *std::ranges::find(unread, id, &retrieval::entry::id);
    failures_.push_back({why.kind, "message-unavailable", folder + "/" + id, why.message()});
  };
  const auto take = [&](std::string_view id, octets block, octets record) -> result<void> {
    const auto header = header_block::parse(block, options_.bounds);
    if (header)
      report({folder, std::string(id), std::string(record_value(record, "verified-domain")),
              std::string(header->first("from").value_or("")), std::string(header->subject())});
    else
      failed(std::string(id), header.error());
    return {};
  };
  return headers(folder, ids, take, failed);
}

}  // namespace ima::tools
