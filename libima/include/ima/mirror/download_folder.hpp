#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <memory>
#include <string>

namespace ima::mirror {

/// What a program that copies into a mailbox keeps beside it, in the directory `.fetch`: a lock, so
/// that two do not copy into it at once, the parts whose download was broken off, and what it did
/// itself in the mailbox, and sent, since what people did there last went back. The lock is held
/// for as long as this lives. Movable; one thread at a time.
class IMA_API download_folder {
 public:
  /// `mailbox` is the directory of a mailbox; `.fetch` is made where it is missing. Errors:
  /// fault::temporary `storage`, and `fetch-running` where another holds the lock.
  static result<download_folder> open(const std::string& mailbox);
  download_folder(download_folder&&) noexcept;
  download_folder& operator=(download_folder&&) noexcept;
  ~download_folder();

 private:
  friend class mirror;
  struct state;
  explicit download_folder(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::mirror
