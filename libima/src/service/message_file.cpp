#include "service/spool.hpp"
#include "support/descriptor.hpp"
#include "support/try.hpp"
#include "support/unnamed_file.hpp"

#include <ima/message.hpp>
#include <ima/service/compose.hpp>
#include <ima/service/message_file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace ima::service {
namespace {

constexpr std::size_t step = 64 * 1024;

error no_input(int code, const std::string& path) {
  return {fault::caller, "no-input", path, std::generic_category().message(code)};
}

error failure(int code, const std::string& path) {
  if (code == EISDIR) return no_input(code, path);
  return {fault::temporary, "storage", path, std::generic_category().message(code)};
}

result<descriptor> open_input(const std::string& path) {
  descriptor file(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                              : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.is_open()) return file;
  return no_input(errno, path);
}

// Zero at the end.
result<std::size_t> read_once(int fd, const std::string& path, std::vector<char>& piece) {
  while (true) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return failure(errno, path);
  }
}

// Reads more than `most` octets, or to the end.
result<std::string> read_up_to(int fd, const std::string& path, std::size_t most) {
  std::string text;
  std::vector<char> piece(step);
  while (text.size() <= most) {
    IMA_TRY(count, read_once(fd, path, piece));
    if (count == 0) break;
    text.append(piece.data(), count);
  }
  return text;
}

}  // namespace

struct message_file::state {
  descriptor file;             // where the message is a file
  std::optional<spool> aside;  // where it came from a stream
  std::optional<header_block> header;
  std::string path;
  std::uint64_t read = 0;  // octets that were looked at

  result<std::size_t> read_some(std::uint64_t offset, char* into, std::size_t size) const {
    if (aside) return aside->read_at(offset, into, size);
    while (true) {
      const ssize_t count = ::pread(file.get(), into, size, static_cast<off_t>(offset));
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return failure(errno, path);
    }
  }
  result<octets> next(std::vector<char>& piece);
  result<void> check(const limits& bounds);
};

// The octets that follow. Those of a stream are put aside as they come, so that no more of a bad
// one is than shows it to be bad.
result<octets> message_file::state::next(std::vector<char>& piece) {
  std::size_t count = 0;
  if (aside) {
    IMA_TRY(got, read_once(file.get(), path, piece));
    IMA_CHECK(aside->append(octets(piece.data(), got)));
    count = got;
  } else {
    IMA_TRY(got, read_some(read, piece.data(), piece.size()));
    count = got;
  }
  read += count;
  return octets(piece.data(), count);
}

result<void> message_file::state::check(const limits& bounds) {
  message_parser parser(bounds);
  std::vector<char> piece(step);
  while (true) {
    IMA_TRY(event, parser.next());
    if (const auto* h = std::get_if<header_received>(&event)) header = h->header;
    if (std::holds_alternative<message_complete>(event)) break;
    if (!std::holds_alternative<need_input>(event)) continue;
    IMA_TRY(more, next(piece));
    more.empty() ? parser.finish() : parser.feed(more);
  }
  const std::uint64_t size = header->size() + header->body_size();
  if (read == size) IMA_CHECK(next(piece));
  if (read == size) return {};
  return error{fault::peer, "trailing", path, "octets follow the message's last part"};
}

message_file::message_file(std::unique_ptr<state> s) : state_(std::move(s)) {}
message_file::message_file(message_file&&) noexcept = default;
message_file& message_file::operator=(message_file&&) noexcept = default;
message_file::~message_file() = default;

result<message_file> message_file::open(const std::string& path, const limits& bounds) {
  auto s = std::make_unique<state>();
  s->path = path == "-" ? "standard input" : path;
  IMA_TRY(file, open_input(path));
  s->file = std::move(file);
  if (::lseek(s->file.get(), 0, SEEK_CUR) != 0) {  // a pipe, or not at its start
    IMA_TRY(made, spool::create());
    s->aside.emplace(std::move(made));
  }
  IMA_CHECK(s->check(bounds));
  return message_file(std::move(s));
}

result<message_file> message_file::of(composition& message, const limits& bounds) {
  auto s = std::make_unique<state>();
  s->path = "the message";
  IMA_TRY(file, unnamed_file("storage"));
  IMA_CHECK(message.write(file.get()));
  s->file = std::move(file);
  IMA_CHECK(s->check(bounds));
  return message_file(std::move(s));
}

result<header_block> read_header(const std::string& path, const limits& bounds) {
  IMA_TRY(file, open_input(path));
  IMA_TRY(text, read_up_to(file.get(), path, bounds.header_block));
  return header_block::parse(text, bounds);
}

const header_block& message_file::header() const noexcept { return *state_->header; }

result<void> message_file::read_at(std::uint64_t offset, char* buffer, std::size_t size) {
  offset += header().size();
  while (size > 0) {
    IMA_TRY(count, state_->read_some(offset, buffer, size));
    if (count == 0)
      return error{fault::temporary, "storage", state_->path, "the file became shorter"};
    offset += count;
    buffer += count;
    size -= count;
  }
  return {};
}

}  // namespace ima::service
