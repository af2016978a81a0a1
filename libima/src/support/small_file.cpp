#include <ima/small_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ima {
namespace {

class input {
 public:
  explicit input(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  input(const input&) = delete;
  input& operator=(const input&) = delete;
  ~input() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool is_open() const noexcept { return fd_ >= 0; }

  // At most `size` octets; zero at the end, less where errno says why.
  ssize_t read(char* into, std::size_t size) const {
    ssize_t got = 0;
    do {
      got = ::read(fd_, into, size);
    } while (got < 0 && errno == EINTR);
    return got;
  }

 private:
  int fd_;
};

error unreadable(const std::string& path, std::string_view rule) {
  return {fault::caller, rule, path, std::string("cannot be read: ") + std::strerror(errno)};
}

}  // namespace

result<std::string> read_small_file(const std::string& path, std::string_view rule,
                                    std::size_t limit) {
  const input in(path);
  if (!in.is_open()) return unreadable(path, rule);
  std::string text;
  std::array<char, 16384> piece{};
  for (;;) {
    const ssize_t got = in.read(piece.data(), piece.size());
    if (got < 0) return unreadable(path, rule);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) return error{fault::caller, rule, path, "is too long"};
  }
}

}  // namespace ima
