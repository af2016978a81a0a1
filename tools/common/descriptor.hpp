#pragma once

#include <unistd.h>

namespace ima::tools {

/// A file descriptor with its owner, who closes it.
class descriptor {
 public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  /// Negative where there is none.
  int get() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace ima::tools
