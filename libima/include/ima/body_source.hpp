#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>

namespace ima {

/// The octets behind a header block, readable at any offset. Called from one thread at a time,
/// which need not be the one that gave it to a call.
class body_source {
 public:
  virtual ~body_source() = default;
  /// Fills `buffer` with the `size` octets from `offset` on, never fewer. Error: fault::temporary,
  /// also where there are not so many.
  virtual result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) = 0;
};

}  // namespace ima
