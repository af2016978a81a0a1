#include "mirror/downloads.hpp"

#include "support/try.hpp"

#include <ima/digest.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace ima::mirror {
namespace {

constexpr std::string_view changes_prefix = "changes-";

error failed(const std::string& path) {
  return {fault::temporary, "storage", path, std::strerror(errno)};
}

}  // namespace

result<partial_download> partial_download::open(std::string path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed(path);
  partial_download made(std::move(path), fd);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return failed(made.path_);
  made.size_ = static_cast<std::uint64_t>(facts.st_size);
  return made;
}

partial_download::partial_download(partial_download&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

partial_download::~partial_download() {
  if (fd_ >= 0) ::close(fd_);
}

result<void> partial_download::append(octets more) {
  while (!more.empty()) {
    const ssize_t count = ::pwrite(fd_, more.data(), more.size(), static_cast<off_t>(size_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path_);
    more.remove_prefix(static_cast<std::size_t>(count));
    size_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

result<std::size_t> partial_download::read_at(std::uint64_t offset, char* into,
                                              std::size_t size) const {
  for (;;) {
    const ssize_t count = ::pread(fd_, into, size, static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return failed(path_);
  }
}

result<void> partial_download::clear() {
  if (::ftruncate(fd_, 0) != 0) return failed(path_);
  size_ = 0;
  return {};
}

result<download_folder::state> download_folder::state::open(const std::string& mailbox) {
  const std::string path = mailbox + "/.fetch";
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path);
  const std::string lock = path + "/lock";
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed(lock);
  state made(path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return made;
  if (errno != EWOULDBLOCK) return failed(lock);
  return error{fault::temporary, "fetch-running", mailbox, "another process brings messages here"};
}

download_folder::state::state(state&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

download_folder::state::~state() {
  if (lock_ >= 0) ::close(lock_);
}

std::string download_folder::state::name(const std::string& id, std::uint64_t number) const {
  return fmt::format("{}/{}.{}", path_, id, number);
}

result<partial_download> download_folder::state::part(const std::string& id,
                                                      std::uint64_t number) const {
  return partial_download::open(name(id, number));
}

// What cannot be removed costs some space until the next run, and nothing else.
void download_folder::state::remove(const std::string& id, std::uint64_t parts) const {
  for (std::uint64_t number = 1; number <= parts; ++number) ::unlink(name(id, number).c_str());
}

void download_folder::state::remove_all() const {
  std::error_code ignored;  // as above
  for (const auto& entry : std::filesystem::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename();
    if (name != "lock" && !name.starts_with(changes_prefix))
      std::filesystem::remove(entry.path(), ignored);
  }
}

result<own_changes> download_folder::state::changes(std::string_view source) const {
  const std::string name = digest::of(source).hex();
  return own_changes::open(fmt::format("{}/{}{}", path_, changes_prefix, name));
}

result<download_folder> download_folder::open(const std::string& mailbox) {
  IMA_TRY(made, state::open(mailbox));
  return download_folder(std::make_unique<state>(std::move(made)));
}

download_folder::download_folder(std::unique_ptr<state> s) : state_(std::move(s)) {}
download_folder::download_folder(download_folder&&) noexcept = default;
download_folder& download_folder::operator=(download_folder&&) noexcept = default;
download_folder::~download_folder() = default;

}  // namespace ima::mirror
