// The file `.ima-mirror`: the line "ima-mirror 1", then for each folder a line "folder TOKEN NAME"
// and for each of its messages "ID LETTERS", and at last "end", so that a file cut short is seen.

#include "translate/mirror_state.hpp"

#include "support/try.hpp"
#include "translate/maildir_names.hpp"
#include "wire/words.hpp"

#include <span>
#include <string_view>

namespace ima::translate {
namespace {

constexpr std::string_view first_line = "ima-mirror 1";

result<std::string> read_all(mailbox::file_system& disk, const std::string& path) {
  IMA_TRY(file, disk.open(path));
  IMA_TRY(size, file->size());
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t at = 0;
  while (at < text.size()) {
    IMA_TRY(count, file->read_at(at, std::span(text).subspan(at)));
    if (count == 0) break;
    at += count;
  }
  text.resize(at);
  return text;
}

}  // namespace

result<mirror_state> read_mirror_state(mailbox::file_system& disk, const std::string& directory) {
  mirror_state out;
  const std::string path = directory + "/.ima-mirror";
  IMA_TRY(there, disk.status(path));
  if (!there) return out;
  IMA_TRY(text, read_all(disk, path));
  const error damaged{fault::temporary, "mirror-state", path, "is damaged"};
  std::string_view rest = text;
  if (wire::take_up_to(rest, '\n') != first_line || !rest.ends_with("end\n")) return damaged;
  mirrored_folder* folder = nullptr;
  while (rest != "end\n") {
    std::string_view line = wire::take_up_to(rest, '\n');
    const std::string_view word = wire::take_up_to(line, ' ');
    if (word == "folder") {
      const std::string token(wire::take_up_to(line, ' '));
      folder = &out[std::string(line)];
      folder->token = token;
    } else if (folder == nullptr || line.empty() || rest.empty()) {
      return damaged;
    } else {
      folder->flags[std::string(word)] = flags_of(line);
    }
  }
  return out;
}

result<void> write_mirror_state(mailbox::file_system& disk, const std::string& directory,
                                const mirror_state& state) {
  const std::string path = directory + "/.ima-mirror";
  const std::string draft = path + ".new";
  if (auto there = disk.status(draft); there && *there) IMA_CHECK(disk.unlink(draft));
  IMA_TRY(file, disk.create(draft));
  IMA_CHECK(file->append(std::string(first_line) + "\n"));
  for (const auto& [name, folder] : state) {
    std::string lines = "folder " + folder.token + " " + name + "\n";
    for (const auto& [id, flags] : folder.flags) {
      lines += id + " " + info_of(flags) + "\n";
      if (lines.size() < 64 * 1024) continue;
      IMA_CHECK(file->append(lines));
      lines.clear();
    }
    IMA_CHECK(file->append(lines));
  }
  IMA_CHECK(file->append("end\n"));
  IMA_CHECK(file->sync());
  IMA_CHECK(disk.rename(draft, path));
  return disk.sync_directory(directory);
}

}  // namespace ima::translate
