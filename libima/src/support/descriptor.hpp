#pragma once

#include <unistd.h>

#include <utility>

namespace ima {

/// Owns a file descriptor, or none (-1). Movable.
class descriptor {
 public:
  explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~descriptor() { reset(); }

  bool is_open() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  /// Closes what it owned, and owns `fd` from now on.
  void reset(int fd = -1) noexcept {
    if (is_open()) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

}  // namespace ima
