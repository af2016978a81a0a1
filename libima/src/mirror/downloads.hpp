#pragma once

#include "mirror/own_changes.hpp"

#include <ima/error.hpp>
#include <ima/mirror/download_folder.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ima::mirror {

/// The octets of a part that is not whole yet, in a file. Not synced: what a crash leaves of it is
/// checked by its digest before it is used. Movable. Errors of all: fault::temporary `storage`.
class partial_download {
 public:
  /// Makes the file where it is missing.
  static result<partial_download> open(std::string path);
  partial_download(partial_download&& other) noexcept;
  partial_download& operator=(partial_download&&) = delete;
  ~partial_download();

  std::uint64_t size() const noexcept { return size_; }
  result<void> append(octets more);
  result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t size) const;
  result<void> clear();

 private:
  partial_download(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  std::uint64_t size_ = 0;
};

/// The folder `.fetch` of a mailbox, and the lock in it. Movable.
struct download_folder::state {
 public:
  static result<state> open(const std::string& mailbox);
  state(state&& other) noexcept;
  state& operator=(state&&) = delete;
  ~state();

  /// What is there of a part of a message; `id` has been checked (retrieval::check_id). Error:
  /// fault::temporary `storage`.
  result<partial_download> part(const std::string& id, std::uint64_t number) const;
  /// The message is whole elsewhere, or gone: its parts are not needed any more.
  void remove(const std::string& id, std::uint64_t parts) const;
  /// Everything that was wanted is here.
  void remove_all() const;
  /// What runs themselves did with the copy of `source`, as own_changes::open().
  result<own_changes> changes(std::string_view source) const;

 private:
  state(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string name(const std::string& id, std::uint64_t number) const;
  std::string path_;
  int lock_;
};

}  // namespace ima::mirror
