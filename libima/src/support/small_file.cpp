#include "support/descriptor.hpp"

#include <ima/small_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ima {
namespace {

// At most `size` octets; zero at the end, less where errno says why.
ssize_t read_some(const descriptor& from, char* into, std::size_t size) {
  ssize_t got = 0;
  do {
    got = ::read(from.get(), into, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

error unreadable(const std::string& path, std::string_view rule) {
  return {fault::caller, rule, path, std::string("cannot be read: ") + std::strerror(errno)};
}

}  // namespace

result<std::string> read_small_file(const std::string& path, std::string_view rule,
                                    std::size_t limit) {
  const descriptor in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.is_open()) return unreadable(path, rule);
  std::string text;
  std::array<char, 16384> piece{};
  for (;;) {
    const ssize_t got = read_some(in, piece.data(), piece.size());
    if (got < 0) return unreadable(path, rule);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) return error{fault::caller, rule, path, "is too long"};
  }
}

}  // namespace ima
