#include "translate/output_file.hpp"

#include "support/parent_of.hpp"
#include "support/try.hpp"

#include <ima/mailbox/file_system.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace ima::translate {
namespace {

bool has_name(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0;
}

error exists(const std::string& path) {
  return {fault::caller, "output-exists", path, "exists and is not overwritten"};
}

}  // namespace

result<output_file> output_file::open(const std::string& path) {
  output_file made(path == "-" ? "standard output" : path);
  if (path == "-") {
    made.named_ = true;
    made.file_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!made.file_.is_open()) return made.failure();
    return made;
  }
  if (has_name(path)) return exists(path);
  IMA_CHECK(made.open_part());
  return made;
}

output_file::~output_file() {
  if (file_.is_open() && !named_) ::unlink(part().c_str());
}

error output_file::failure() const {
  return {fault::temporary, "output", path_, std::generic_category().message(errno)};
}

// Whoever writes a part has it locked, and nobody else renames or removes it.
result<void> output_file::open_part() {
  while (true) {
    IMA_TRY(made, create_part());
    if (made) return {};
    IMA_CHECK(remove_left_over());
  }
}

// False where there is one, or somebody took the new one for a left over one.
result<bool> output_file::create_part() {
  descriptor made(::open(part().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made.is_open() && errno == EEXIST) return false;
  if (!made.is_open()) return failure();
  if (::flock(made.get(), LOCK_EX | LOCK_NB) != 0 || !is_part(made.get())) return false;
  file_ = std::move(made);
  return true;
}

result<void> output_file::remove_left_over() const {
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const descriptor there(::open(part().c_str(), flags));
  if (!there.is_open() && errno == ENOENT) return {};
  if (!there.is_open()) return failure();
  if (::flock(there.get(), LOCK_EX | LOCK_NB) != 0)
    return error{fault::temporary, "output", path_, "is being written"};
  if (is_part(there.get()) && ::unlink(part().c_str()) != 0) return failure();
  return {};
}

bool output_file::is_part(int fd) const {
  struct stat ours {};
  struct stat named {};
  return ::fstat(fd, &ours) == 0 && ::lstat(part().c_str(), &named) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

result<void> output_file::write(octets text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file_.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure();
    text.remove_prefix(static_cast<std::size_t>(count));
    size_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

result<bool> output_file::cut(std::uint64_t size) {
  if (named_) return false;
  const auto end = static_cast<off_t>(size);
  if (::ftruncate(file_.get(), end) != 0 || ::lseek(file_.get(), end, SEEK_SET) != end)
    return failure();
  size_ = size;
  return true;
}

// By a link, which replaces nothing, or, where the file system has none, by a rename.
result<void> output_file::take_name() const {
  const bool linked = ::link(part().c_str(), path_.c_str()) == 0;
  if (!linked && (errno == EEXIST || has_name(path_))) return exists(path_);
  if ((linked ? ::unlink(part().c_str()) : std::rename(part().c_str(), path_.c_str())) != 0)
    return failure();
  return {};
}

result<void> output_file::finish() {
  if (named_) return {};
  if (::fsync(file_.get()) != 0) return failure();
  IMA_CHECK(take_name());
  named_ = true;
  return mailbox::posix_file_system().sync_directory(parent_of(path_));
}

}  // namespace ima::translate
