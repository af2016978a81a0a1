#include "service/spool.hpp"

#include "support/try.hpp"
#include "support/unnamed_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace ima::service {
namespace {

error failure(int code) {
  return {fault::temporary, "storage", "spool", std::generic_category().message(code)};
}

}  // namespace

result<spool> spool::create() {
  IMA_TRY(file, unnamed_file("storage"));
  return spool(std::move(file));
}

result<void> spool::append(octets more) {
  while (!more.empty()) {
    const ssize_t count = ::write(file_.get(), more.data(), more.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno);
    more.remove_prefix(static_cast<std::size_t>(count));
    size_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

result<std::size_t> spool::read_at(std::uint64_t offset, char* into, std::size_t size) const {
  while (true) {
    const ssize_t count = ::pread(file_.get(), into, size, static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return failure(errno);
  }
}

}  // namespace ima::service
