#include "support/try.hpp"

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

result<void> write(const part_source& part, file& out) {
  std::vector<char> buffer(piece_size);
  for (std::uint64_t at = 0; at < part.size();) {
    IMA_TRY(count, part.read_at(at, buffer));
    if (count == 0) return error{fault::temporary, "message-damaged", "", "a part is too short"};
    IMA_CHECK(out.append(octets(buffer.data(), count)));
    at += count;
  }
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

result<void> save_part(const part_source& part, file_system& files, const std::string& directory,
                       const std::string& name) {
  const std::string draft = directory + "/" + draft_name();
  IMA_TRY(out, files.create(draft));
  auto good = write(part, *out);
  out.reset();
  if (good) good = give_name(files, draft, directory + "/" + name);
  if (good) return files.sync_directory(directory);
  // What went wrong first is what counts.
  static_cast<void>(files.unlink(draft));
  return good;
}

}  // namespace ima::mailbox
