#pragma once

#include "support/try.hpp"

#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ima::translate {

/// Fills the buffer by `read_some(offset, into, size)`, which may give less. Error also:
/// fault::temporary `storage` where the end comes too early.
template <class ReadSome>
result<void> read_fully(ReadSome read_some, const std::string& place, std::uint64_t offset,
                        char* buffer, std::size_t size) {
  while (size > 0) {
    IMA_TRY(count, read_some(offset, buffer, size));
    if (count == 0) return error{fault::temporary, "storage", place, "became shorter"};
    offset += count;
    buffer += count;
    size -= count;
  }
  return {};
}

}  // namespace ima::translate
