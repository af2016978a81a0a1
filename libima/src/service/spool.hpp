#pragma once

#include "support/descriptor.hpp"

#include <ima/error.hpp>

#include <cstdint>
#include <utility>

namespace ima::service {

/// Octets on disk under no name, for a message that several commands read one after another.
class spool {
 public:
  /// Error: fault::temporary, rule `storage`.
  static result<spool> create();

  result<void> append(octets more);
  result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t size) const;
  std::uint64_t size() const noexcept { return size_; }

 private:
  explicit spool(descriptor file) : file_(std::move(file)) {}
  descriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace ima::service
