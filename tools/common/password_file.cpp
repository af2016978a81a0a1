#include "password_file.hpp"

#include "descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ima::tools {
namespace {

// Of standard input a copy, so that whatever was opened is closed.
int open_input(const std::string& path) {
  return path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                     : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

error unreadable(const std::string& path) {
  return {fault::caller, "config-file", path, std::strerror(errno)};
}

bool others_may_read(const descriptor& file) {
  struct stat facts {};
  return ::fstat(file.get(), &facts) != 0 || (facts.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace

result<retrieval::secret> read_password_file(const std::string& path) {
  const descriptor file(open_input(path));
  if (file.get() < 0) return unreadable(path);
  if (path != "-" && others_may_read(file))
    return error{fault::caller, "config-value", path, "others may read it: make its mode 0600"};
  std::array<char, 4096> buffer{};
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t count = ::read(file.get(), buffer.data() + filled, buffer.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  const octets text(buffer.data(), filled);
  retrieval::secret password(text.substr(0, text.find('\n')));
  ::explicit_bzero(buffer.data(), buffer.size());
  if (password.view().empty())
    return error{fault::caller, "config-value", path, "there is no password in it"};
  return password;
}

}  // namespace ima::tools
