#include "mailbox/journal_writer.hpp"
#include "mailbox/store.hpp"

#include <fmt/format.h>

// A short journal for a long one (docs/mailbox.md section 11).

namespace ima::mailbox {

// A line of the past is what has a removed message go that a power cut brings back. Without it the
// removals themselves must be on disk.
result<void> mailbox::state::compact() {
  if (tail_stays) return *tail_stays;
  for (int i = 0; i < 256; ++i)
    IMA_CHECK(files.sync_directory(tree.shard(fmt::format("{:02x}", i))));
  return replace_journal(files, tree, *cache, [](const auto&) -> result<bool> { return true; });
}

result<void> mailbox::compact() {
  const std::lock_guard guard(state_->mutex);
  return state_->locked([this] { return state_->compact(); });
}

}  // namespace ima::mailbox
