#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace ima {

/// The roles that a folder may have, each at most once in a mailbox (docs/mailbox.md section 5,
/// docs/retrieval.md section 4).
inline constexpr std::array<std::string_view, 6> roles{"inbox",   "sent", "drafts",
                                                       "archive", "junk", "trash"};

/// True for one of them.
constexpr bool is_role(std::string_view role) noexcept {
  return std::ranges::find(roles, role) != roles.end();
}

}  // namespace ima
