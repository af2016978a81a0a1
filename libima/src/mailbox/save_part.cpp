#include "support/try.hpp"

#include <ima/digest.hpp>
#include <ima/mailbox/save_part.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <vector>

namespace ima::mailbox {
namespace {

constexpr std::size_t piece_size = std::size_t{64} * 1024;

// No two that are written at once on a host have the same.
std::string draft_name() {
  static std::atomic<unsigned> count;
  return fmt::format(".ima-save-{}-{}", ::getpid(), ++count);
}

// Hands its octets on as they are read; an error where they are not those that the line is of.
template <class Take>
result<void> read_whole(const part_source& part, const part_info& line, const Take& take) {
  std::vector<char> buffer(piece_size);
  hasher sum;
  for (std::uint64_t at = 0; at < part.size();) {
    IMA_TRY(count, part.read_at(at, buffer));
    if (count == 0) return error{fault::temporary, "message-damaged", "", "a part is too short"};
    const octets piece(buffer.data(), count);
    sum.update(piece);
    IMA_CHECK(take(piece));
    at += count;
  }
  if (part.size() == line.size && sum.finish() == line.sha256) return {};
  return error{fault::temporary, "message-damaged", "", "a part is not what its line says"};
}

result<void> write(const part_source& part, const part_info& line, file& out) {
  IMA_CHECK(read_whole(part, line, [&](octets piece) { return out.append(piece); }));
  return out.sync();
}

result<void> give_name(file_system& files, const std::string& draft, const std::string& path) {
  auto linked = files.link(draft, path);
  if (linked) return files.unlink(draft);
  if (linked.error().rule != "file-link") return linked;
  // A file system without hard links, as memory cards have.
  IMA_TRY(there, files.status(path));
  if (there) return error{fault::temporary, "file-exists", path, "exists and is not overwritten"};
  return files.rename(draft, path);
}

}  // namespace

result<void> verify_part(const part_source& part, const part_info& line) {
  return read_whole(part, line, [](octets) { return result<void>(); });
}

result<void> save_part(const part_source& part, const part_info& line, file_system& files,
                       const std::string& directory, const std::string& name) {
  const std::string draft = directory + "/" + draft_name();
  IMA_TRY(out, files.create(draft));
  auto good = write(part, line, *out);
  out.reset();
  if (good) good = give_name(files, draft, directory + "/" + name);
  if (good) return files.sync_directory(directory);
  // What went wrong first is what counts.
  static_cast<void>(files.unlink(draft));
  return good;
}

}  // namespace ima::mailbox
