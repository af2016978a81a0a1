#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ima::tools {

/// The octets of a part that is not whole yet, in a file. Not synced: what a crash leaves of it is
/// checked by its digest before it is used. Movable.
class partial_download {
 public:
  partial_download(partial_download&& other) noexcept;
  partial_download& operator=(partial_download&&) = delete;
  ~partial_download();

  std::uint64_t size() const noexcept { return size_; }
  /// Errors of all: fault::temporary `storage`.
  result<void> append(octets more);
  result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t size) const;
  result<void> clear();

 private:
  friend class download_folder;
  partial_download(std::string path, int fd, std::uint64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}
  std::string path_;
  int fd_;
  std::uint64_t size_;
};

/// What a program that copies into a mailbox keeps beside it, in `.fetch`: a lock, so that it does
/// not run twice at once, and downloads that were broken off. Movable.
class download_folder {
 public:
  /// Makes it where it is missing. Errors: fault::temporary `storage`, and `fetch-running` where
  /// another holds the lock.
  static result<download_folder> open(const std::string& mailbox);
  download_folder(download_folder&& other) noexcept;
  download_folder& operator=(download_folder&&) = delete;
  ~download_folder();

  /// What is there of a part of a message; `id` has been checked (retrieval::check_id).
  result<partial_download> part(const std::string& id, std::uint64_t number) const;
  /// The message is whole elsewhere, or gone: its parts are not needed any more.
  void remove(const std::string& id, std::uint64_t parts) const;
  /// Everything that was wanted is here.
  void remove_all() const;

 private:
  download_folder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string name(const std::string& id, std::uint64_t number) const;
  std::string path_;
  int lock_;
};

}  // namespace ima::tools
