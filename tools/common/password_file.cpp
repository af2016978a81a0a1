#include "password_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ima::tools {
namespace {

class descriptor {
 public:
  explicit descriptor(const std::string& path)
      : own_(path != "-"), number_(own_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : 0) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (own_ && number_ >= 0) ::close(number_);
  }

  int number() const { return number_; }
  bool own() const { return own_; }

 private:
  bool own_;
  int number_;
};

error unreadable(const std::string& path) {
  return {fault::caller, "config-file", path, std::strerror(errno)};
}

bool others_may_read(const descriptor& file) {
  struct stat facts {};
  return ::fstat(file.number(), &facts) != 0 || (facts.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace

result<retrieval::secret> read_password_file(const std::string& path) {
  const descriptor file(path);
  if (file.number() < 0) return unreadable(path);
  if (file.own() && others_may_read(file))
    return error{fault::caller, "config-value", path, "others may read it: make its mode 0600"};
  std::array<char, 4096> buffer{};
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t count = ::read(file.number(), buffer.data() + filled, buffer.size() - filled);
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
