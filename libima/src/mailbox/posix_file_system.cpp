#include "support/try.hpp"

#include <ima/mailbox/file_system.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace ima::mailbox {

namespace {

std::string_view rule_for(int number) noexcept {
  switch (number) {
    case EEXIST:
    case ENOTEMPTY:
      return "file-exists";
    case ENOENT:
      return "file-missing";
    case EXDEV:
    case EPERM:
    case EMLINK:
    case EOPNOTSUPP:
      return "file-link";
    case ENOSPC:
    case EDQUOT:
      return "disk-full";
    case EROFS:
    case EACCES:
      return "read-only";
    default:
      return "storage";
  }
}

error failure(const std::string& path, std::string_view rule, int number) {
  return {fault::temporary, rule, path, std::generic_category().message(number)};
}

error failure(const std::string& path) {
  const int number = errno;
  return failure(path, rule_for(number), number);
}

// What keeps one file from being read, and says nothing of any other.
error reading_failure(const std::string& path) {
  const int number = errno;
  switch (number) {
    case EACCES:
    case EPERM:
    case EISDIR:
    case ENXIO:
    case ELOOP:
    case EIO:
      return failure(path, "file-unreadable", number);
    default:
      return failure(path, rule_for(number), number);
  }
}

// Distinguishes files while a program runs, whichever of several file systems they are on.
std::uint64_t identity_of(const struct stat& facts) noexcept {
  return static_cast<std::uint64_t>(facts.st_ino) ^
         (static_cast<std::uint64_t>(facts.st_dev) * 0x9e3779b97f4a7c15U);
}

result<void> check(int returned, const std::string& path) {
  if (returned != 0) return failure(path);
  return {};
}

// Repeats a call that a signal interrupted.
template <class Call>
auto retry(Call call) {
  auto returned = call();
  while (returned < 0 && errno == EINTR) returned = call();
  return returned;
}

class posix_file final : public file {
 public:
  posix_file(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  posix_file(const posix_file&) = delete;
  posix_file& operator=(const posix_file&) = delete;
  ~posix_file() override { ::close(descriptor_); }

  result<void> append(octets text) override {
    while (!text.empty()) {
      const auto count = retry([&] { return ::write(descriptor_, text.data(), text.size()); });
      if (count < 0) return failure(path_);
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto rest = into.subspan(done);
      const auto count = retry([&] {
        return ::pread(descriptor_, rest.data(), rest.size(), static_cast<off_t>(offset + done));
      });
      if (count < 0) return reading_failure(path_);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  result<std::uint64_t> size() const override {
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0) return failure(path_);
    return static_cast<std::uint64_t>(facts.st_size);
  }

  result<std::uint64_t> identity() const override {
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0) return failure(path_);
    return identity_of(facts);
  }

  // fdatasync also writes the size, which is all the metadata a reader needs.
  result<void> sync() override { return check(::fdatasync(descriptor_), path_); }
  // The time of access stays, by which programs tell what is left over in a Maildir's tmp/.
  result<void> set_changed(std::chrono::sys_seconds when) override {
    const timespec kept{0, UTIME_OMIT};
    const std::array<timespec, 2> times{kept, {when.time_since_epoch().count(), 0}};
    return check(::futimens(descriptor_, times.data()), path_);
  }
  result<void> truncate(std::uint64_t size) override {
    return check(::ftruncate(descriptor_, static_cast<off_t>(size)), path_);
  }
  result<void> lock() override {
    return check(retry([&] { return ::flock(descriptor_, LOCK_EX); }), path_);
  }
  result<bool> try_lock() override {
    const int taken = retry([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); });
    if (taken != 0 && errno == EWOULDBLOCK) return false;
    IMA_CHECK(check(taken, path_));
    return true;
  }
  result<void> unlock() override { return check(::flock(descriptor_, LOCK_UN), path_); }

 private:
  int descriptor_;
  std::string path_;
};

result<std::unique_ptr<file>> open_file(const std::string& path, int flags) {
  const int descriptor =
      retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0600); });
  if (descriptor < 0) return failure(path);
  return std::unique_ptr<file>(std::make_unique<posix_file>(descriptor, path));
}

class posix final : public file_system {
 public:
  // Without waiting, should it be a named pipe.
  result<std::unique_ptr<file>> open(const std::string& path) override {
    const int descriptor =
        retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); });
    if (descriptor < 0) return reading_failure(path);
    auto opened = std::make_unique<posix_file>(descriptor, path);
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0) return failure(path);
    if (!S_ISREG(facts.st_mode)) return failure(path, "file-unreadable", EINVAL);
    return std::unique_ptr<file>(std::move(opened));
  }
  result<std::unique_ptr<file>> open_append(const std::string& path) override {
    return open_file(path, O_RDWR | O_APPEND | O_CREAT);
  }
  result<std::unique_ptr<file>> create(const std::string& path) override {
    return open_file(path, O_RDWR | O_CREAT | O_EXCL);
  }
  result<void> make_directory(const std::string& path) override {
    return check(::mkdir(path.c_str(), 0700), path);
  }
  result<void> link(const std::string& from, const std::string& to) override {
    return check(::link(from.c_str(), to.c_str()), to);
  }
  result<void> rename(const std::string& from, const std::string& to) override {
    return check(::rename(from.c_str(), to.c_str()), to);
  }
  result<void> unlink(const std::string& path) override {
    return check(::unlink(path.c_str()), path);
  }
  result<void> remove_directory(const std::string& path) override {
    return check(::rmdir(path.c_str()), path);
  }

  result<std::optional<file_status>> status(const std::string& path) override {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) {
      if (errno == ENOENT) return std::optional<file_status>();
      return failure(path);
    }
    const std::chrono::nanoseconds changed = std::chrono::seconds(facts.st_mtim.tv_sec) +
                                             std::chrono::nanoseconds(facts.st_mtim.tv_nsec);
    return std::optional(
        file_status{S_ISDIR(facts.st_mode), static_cast<std::uint64_t>(facts.st_size),
                    std::chrono::sys_time<std::chrono::nanoseconds>(changed), identity_of(facts)});
  }

  result<void> list(const std::string& path,
                    const std::function<result<void>(const std::string&)>& each) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return failure(path);
    while (true) {
      errno = 0;
      const dirent* found = ::readdir(directory.get());
      if (found == nullptr && errno != 0) return failure(path);
      if (found == nullptr) return {};
      const std::string name = found->d_name;
      if (name != "." && name != "..") IMA_CHECK(each(name));
    }
  }

  result<void> sync_directory(const std::string& path) override {
    IMA_TRY(directory, open_file(path, O_RDONLY | O_DIRECTORY));
    return directory->sync();
  }

  std::chrono::sys_seconds now() override {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  }
};

}  // namespace

file_system& posix_file_system() {
  static posix files;
  return files;
}

}  // namespace ima::mailbox
