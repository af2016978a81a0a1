#include "mirror.hpp"

#include <ima/digest.hpp>

#include <algorithm>
#include <span>
#include <utility>

// What is new at the post office, without its bodies.

namespace ima::tools {
namespace {

constexpr std::size_t headers_at_once = 50;

}  // namespace

std::string mirror::listed_name(std::string_view folder) const {
  return digest::of("listed\n" + options_.source + "\n" + std::string(folder)).hex();
}

result<void> mirror::list(const on_message& report) {
  states_.clear();
  const auto folders = choose_folders();
  if (!folders) return folders.error();
  for (const auto& folder : *folders)
    if (auto good = list(folder.name, report); !good) return good;
  return {};
}

result<void> mirror::list(const std::string& folder, const on_message& report) {
  auto kept = local_.sync_state(listed_name(folder));
  if (!kept) return kept.error();
  std::string token = kept->empty() ? std::string(retrieval::first_token) : *std::move(kept);
  for (bool more = true; more;) {
    auto got = next_page(folder, token);
    if (!got) return got.error();
    if (got->more && got->token == token)
      return error{fault::peer, "no-progress", folder, "the post office gives the same page again"};
    if (auto good = list_page(folder, *got, report); !good) return good;
    token = std::move(got->token);
    more = got->more;
    if (auto good = local_.set_sync_state(listed_name(folder), token); !good) return good;
  }
  states_.push_back({folder, token});
  return {};
}

// A message whose flags changed was reported when it came: only one that was not read yet is new.
result<void> mirror::list_page(const std::string& folder, const retrieval::change_page& changes,
                               const on_message& report) {
  std::vector<std::string> ids;
  for (const retrieval::change& change : changes.changes)
    if (change.present &&
        std::ranges::find(change.present->flags, "seen") == change.present->flags.end())
      ids.push_back(change.id);
  const std::span<const std::string> all(ids);
  for (std::size_t at = 0; at < all.size(); at += headers_at_once) {
    const auto some = all.subspan(at, std::min(headers_at_once, all.size() - at));
    const auto got = remote_.headers(
        folder, some, [&](std::string_view id, octets block, octets record) -> result<void> {
          const auto header = header_block::parse(block, options_.bounds);
          if (!header) return header.error();
          report({folder, std::string(id), std::string(record_value(record, "verified-domain")),
                  std::string(header->first("from").value_or("")), std::string(header->subject())});
          return {};
        });
    if (!got) return got;
  }
  return {};
}

}  // namespace ima::tools
