#include "imrp_view.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace conformance {

using namespace ima;

result<void> view::follow(std::uint64_t page) {
  for (const std::string& folder : folders_) {
    std::string& token = tokens_[folder];
    if (token.empty()) token = retrieval::first_token;
    if (auto good = follow(folder, token, page, known_); !good) return good;
  }
  return {};
}

result<messages> view::list(std::uint64_t page) {
  messages all;
  for (const std::string& folder : folders_) {
    std::string token(retrieval::first_token);
    if (auto good = follow(folder, token, page, all); !good) return good.error();
  }
  return all;
}

// A message that moved is told by both folders, in either order: it is gone only if it is still
// where it is said to have left.
result<void> view::follow(const std::string& folder, std::string& token, std::uint64_t page,
                          messages& into) {
  for (bool more = true; more;) {
    auto got = client_.changes(folder, token, page);
    if (!got && got.error().rule == "resync") {
      token = retrieval::first_token;
      std::erase_if(into, [&](const auto& m) { return m.second.folder == folder; });
      continue;
    }
    if (!got) return got.error();
    for (const retrieval::change& change : got->changes) {
      const auto found = into.find(change.id);
      if (change.present)
        into[change.id] = {folder,
                           {change.present->flags.begin(), change.present->flags.end()},
                           change.present->size};
      else if (found != into.end() && found->second.folder == folder)
        into.erase(found);
    }
    token = std::move(got->token);
    more = got->more;
  }
  return {};
}

std::string difference(const messages& one, const messages& other) {
  const auto text = [](const seen_message& m) {
    return fmt::format("{} {} {{{}}}", m.folder, m.size, fmt::join(m.flags, ","));
  };
  for (const auto& [id, message] : one) {
    const auto found = other.find(id);
    if (found == other.end()) return fmt::format("{} ({}) is missing", id, text(message));
    if (found->second != message)
      return fmt::format("{}: {} against {}", id, text(message), text(found->second));
  }
  for (const auto& [id, message] : other)
    if (!one.contains(id)) return fmt::format("{} ({}) is too much", id, text(message));
  return {};
}

}  // namespace conformance
