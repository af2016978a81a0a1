#pragma once

#include <ima/error.hpp>

#include <cstdint>
#include <memory>

namespace ima::service {

/// Octets on disk under no name, for a message that several commands read one after another.
class spool {
 public:
  /// Error: fault::temporary, rule `storage`.
  static result<spool> create();
  spool(spool&& other) noexcept : fd_(other.fd_), size_(other.size_) { other.fd_ = -1; }
  spool& operator=(spool&&) = delete;
  ~spool();

  result<void> append(octets more);
  result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t size) const;
  std::uint64_t size() const noexcept { return size_; }

 private:
  explicit spool(int fd) : fd_(fd) {}
  int fd_;
  std::uint64_t size_ = 0;
};

}  // namespace ima::service
