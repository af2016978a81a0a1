#include "support/descriptor.hpp"
#include "support/try.hpp"
#include "support/unnamed_file.hpp"

#include <ima/service/compose.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace ima::service {
namespace {

constexpr std::size_t copy_size = 256 * 1024;

error file_error(fault kind, std::string_view rule, const std::string& file) {
  return error{kind, rule, file, std::strerror(errno)};
}

// Reads what there is, at most `size` octets; zero at the end.
ssize_t read_some(int fd, char* buffer, std::size_t size) {
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

bool write_all(int fd, octets text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

result<descriptor> open_file(const std::string& file) {
  // A copy of standard input, so that every part has a descriptor of its own to close.
  descriptor input(file == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                               : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() < 0) return file_error(fault::caller, "part-file", file);
  return input;
}

// A part's file and what the first reading of it found.
struct source {
  std::string file;
  descriptor input;
  std::uint64_t size = 0;
  digest sha256;
};

// Reads the input to its end: measures, hashes and, where there is a spool, keeps it.
result<void> measure(source& part, const descriptor* spool, std::string& buffer) {
  hasher hash;
  for (;;) {
    const ssize_t got = read_some(part.input.get(), buffer.data(), buffer.size());
    if (got < 0) return file_error(fault::caller, "part-file", part.file);
    if (got == 0) break;
    const octets piece(buffer.data(), static_cast<std::size_t>(got));
    hash.update(piece);
    part.size += piece.size();
    if (spool != nullptr && !write_all(spool->get(), piece)) {
      return file_error(fault::temporary, "part-spool", part.file);
    }
  }
  part.sha256 = hash.finish();
  return {};
}

result<source> open_source(const std::string& file, std::string& buffer) {
  IMA_TRY(input, open_file(file));
  source part{file, std::move(input), 0, {}};
  struct stat facts = {};
  if (::fstat(part.input.get(), &facts) != 0) return file_error(fault::caller, "part-file", file);
  // Standard input may be a file that is open in the middle; it is taken from where it stands.
  if (S_ISREG(facts.st_mode) && file != "-") {
    IMA_CHECK(measure(part, nullptr, buffer));
    return part;
  }
  IMA_TRY(spool, unnamed_file("part-spool"));
  IMA_CHECK(measure(part, &spool, buffer));
  part.input = std::move(spool);
  return part;
}

error changed(const source& part) {
  return error{fault::temporary, "part-changed", part.file,
               "the file changed while the message was made"};
}

// Copies a part again. The last octets wait until the whole part is what was announced.
result<void> copy(const source& part, int output, std::string& buffer) {
  hasher hash;
  for (std::uint64_t at = 0; at < part.size;) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), part.size - at);
    const ssize_t got = ::pread(part.input.get(), buffer.data(), static_cast<std::size_t>(wanted),
                                static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(fault::temporary, "part-changed", part.file);
    if (got == 0) return changed(part);
    const octets piece(buffer.data(), static_cast<std::size_t>(got));
    at += piece.size();
    hash.update(piece);
    if (at == part.size && hash.finish() != part.sha256) return changed(part);
    if (!write_all(output, piece)) return file_error(fault::temporary, "output", "");
  }
  return {};
}

part_description describe(const draft_part& asked, const source& found) {
  part_description part;
  part.size = found.size;
  part.sha256 = found.sha256;
  part.role = asked.role;
  part.name = asked.name;
  part.media_type = asked.media_type;
  if (part.media_type.empty()) part.media_type = guess_media_type(asked.file);
  return part;
}

}  // namespace

struct composition::state {
  header_block header;
  std::vector<source> parts;
};

composition::composition(std::unique_ptr<state> s) : state_(std::move(s)) {}
composition::composition(composition&&) noexcept = default;
composition& composition::operator=(composition&&) noexcept = default;
composition::~composition() = default;

result<composition> composition::prepare(const draft& message, const limits& bounds) {
  header_builder builder;
  for (const auto& [name, value] : message.fields) builder.field(name, value);
  std::vector<source> parts;
  std::string buffer(copy_size, '\0');
  for (const draft_part& asked : message.parts) {
    IMA_TRY(found, open_source(asked.file, buffer));
    builder.part(describe(asked, found));
    parts.push_back(std::move(found));
  }
  IMA_TRY(header, builder.build(bounds));
  return composition(std::make_unique<state>(state{header, std::move(parts)}));
}

const header_block& composition::header() const noexcept { return state_->header; }

result<void> composition::write(int output) {
  if (!write_all(output, state_->header.text())) {
    return file_error(fault::temporary, "output", "");
  }
  std::string buffer(copy_size, '\0');
  for (const source& part : state_->parts) IMA_CHECK(copy(part, output, buffer));
  return {};
}

}  // namespace ima::service
