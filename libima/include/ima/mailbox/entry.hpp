#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace ima::mailbox {

/// A message in a folder.
struct entry {
  std::string id;          ///< Stable; the same in every folder that the message is moved to.
  std::uint64_t seq = 0;   ///< Grows with every change in the mailbox.
  std::uint64_t size = 0;  ///< Octets: header block and parts.
  std::vector<std::string> flags;      ///< Words, each once (docs/retrieval.md section 5.8).
  std::chrono::sys_seconds arrived{};  ///< When the delivering server took it, UTC.
  bool gone = false;                   ///< It left the folder; only `id` and `seq` are set.
};

}  // namespace ima::mailbox
