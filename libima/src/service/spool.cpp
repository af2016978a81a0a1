#include "service/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace ima::service {
namespace {

error failure(int code) {
  return {fault::temporary, "storage", "spool", std::generic_category().message(code)};
}

}  // namespace

result<spool> spool::create() {
  std::error_code failed;
  const auto folder = std::filesystem::temp_directory_path(failed);
  if (failed) return failure(failed.value());
  std::string path = (folder / "ima-spool-XXXXXX").string();
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return failure(errno);
  ::unlink(path.c_str());
  return spool(fd);
}

spool::~spool() {
  if (fd_ >= 0) ::close(fd_);
}

result<void> spool::append(octets more) {
  while (!more.empty()) {
    const ssize_t count = ::write(fd_, more.data(), more.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno);
    more.remove_prefix(static_cast<std::size_t>(count));
    size_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

result<std::size_t> spool::read_at(std::uint64_t offset, char* into, std::size_t size) const {
  while (true) {
    const ssize_t count = ::pread(fd_, into, size, static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return failure(errno);
  }
}

}  // namespace ima::service
