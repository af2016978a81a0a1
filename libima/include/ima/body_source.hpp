#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>

namespace ima {

/// The octets behind a header block, readable at any offset. Called from one thread at a time.
class body_source {
 public:
  virtual ~body_source() = default;
  /// Fills `buffer` with the `size` octets from `offset` on, never fewer. Errors: fault::temporary.
  virtual result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) = 0;
};

}  // namespace ima
