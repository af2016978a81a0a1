#include "service/spool.hpp"
#include "support/try.hpp"
#include "translate/line_reader.hpp"
#include "translate/read_fully.hpp"

#include <ima/translate/mail_file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace ima::translate {

struct mail_file::state {
  std::string path;
  int fd = -1;
  std::uint64_t size = 0;
  std::optional<service::spool> aside{};  // where it is a stream

  explicit state(std::string name) : path(std::move(name)) {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    if (fd > STDIN_FILENO) ::close(fd);
  }

  error failure(fault kind, std::string_view rule, int code) const {
    return {kind, rule, path, std::generic_category().message(code)};
  }
  result<void> open(std::uint64_t most);
  result<void> put_aside(std::uint64_t most);
  result<std::size_t> read_some(std::uint64_t offset, char* into, std::size_t count) const;
};

result<void> mail_file::state::open(std::uint64_t most) {
  fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (path == "-") path = "standard input";
  struct stat facts = {};
  if (fd < 0 || ::fstat(fd, &facts) != 0) return failure(fault::caller, "no-input", errno);
  if (S_ISDIR(facts.st_mode)) return failure(fault::caller, "no-input", EISDIR);
  if (!S_ISREG(facts.st_mode) || ::lseek(fd, 0, SEEK_CUR) != 0) return put_aside(most);
  size = static_cast<std::uint64_t>(facts.st_size);
  return {};
}

result<void> mail_file::state::put_aside(std::uint64_t most) {
  IMA_TRY(made, service::spool::create());
  aside.emplace(std::move(made));
  std::vector<char> piece(64 * 1024);
  while (true) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(fault::temporary, "storage", errno);
    if (count == 0) break;
    if (static_cast<std::uint64_t>(count) > most - aside->size())
      return error{fault::peer, "stream-size", path,
                   fmt::format("is longer than {} octets and no file", most)};
    IMA_CHECK(aside->append(octets(piece.data(), static_cast<std::size_t>(count))));
  }
  size = aside->size();
  return {};
}

result<std::size_t> mail_file::state::read_some(std::uint64_t offset, char* into,
                                                std::size_t count) const {
  if (aside) return aside->read_at(offset, into, count);
  while (true) {
    const ssize_t got = ::pread(fd, into, count, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return failure(fault::temporary, "storage", errno);
  }
}

mail_file::mail_file(std::unique_ptr<state> s) : state_(std::move(s)) {}
mail_file::mail_file(mail_file&&) noexcept = default;
mail_file& mail_file::operator=(mail_file&&) noexcept = default;
mail_file::~mail_file() = default;

result<mail_file> mail_file::open(const std::string& path, bool dot_ends, const limits& bounds) {
  auto s = std::make_unique<state>(path);
  IMA_CHECK(s->open(bounds.stream));
  mail_file made(std::move(s));
  if (dot_ends) IMA_CHECK(made.end_at_dot());
  return made;
}

result<void> mail_file::end_at_dot() {
  line_reader lines(*this, 0, size());
  while (true) {
    IMA_TRY(line, lines.next());
    if (!line) return {};
    if (line->front != "." || line->end == 0) continue;
    state_->size = line->at;
    return {};
  }
}

std::uint64_t mail_file::size() const noexcept { return state_->size; }

result<void> mail_file::read_at(std::uint64_t offset, char* buffer, std::size_t size) {
  const auto read_some = [&](std::uint64_t at, char* into, std::size_t count) {
    return state_->read_some(at, into, count);
  };
  return read_fully(read_some, state_->path, offset, buffer, size);
}

}  // namespace ima::translate
