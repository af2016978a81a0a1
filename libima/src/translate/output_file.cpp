#include "translate/output_file.hpp"

#include "support/parent_of.hpp"

#include <ima/mailbox/file_system.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace ima::translate {

result<output_file> output_file::open(const std::string& path) {
  if (path == "-") return output_file("standard output", STDOUT_FILENO);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) return output_file(path, fd);
  if (errno == EEXIST)
    return error{fault::caller, "output-exists", path, "exists and is not overwritten"};
  return error{fault::temporary, "output", path, std::generic_category().message(errno)};
}

output_file::output_file(output_file&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      finished_(other.finished_) {}

output_file::~output_file() {
  if (fd_ <= STDOUT_FILENO) return;
  ::close(fd_);
  if (!finished_) ::unlink(path_.c_str());
}

error output_file::failure() const {
  return {fault::temporary, "output", path_, std::generic_category().message(errno)};
}

result<void> output_file::write(octets text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure();
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

result<void> output_file::finish() {
  if (fd_ == STDOUT_FILENO) return {};
  if (::fsync(fd_) != 0) return failure();
  finished_ = true;
  return mailbox::posix_file_system().sync_directory(parent_of(path_));
}

}  // namespace ima::translate
