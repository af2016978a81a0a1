// The file `.ima-mirror`: the line "ima-mirror 1", then for each folder a line "folder TOKEN NAME"
// and for each of its messages "ID LETTERS", and then "end". Behind that an update adds, before it
// gives a file flags, "in NAME" and "may ID LETTERS", and after it took a file's flags, "in NAME"
// and "ID LETTERS". A last line without its end was not written in time, and counts for nothing.

#include "translate/mirror_state.hpp"

#include "support/try.hpp"
#include "translate/maildir_names.hpp"
#include "wire/words.hpp"

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

std::string line_of(const std::string& id, const flag_list& flags) {
  return id + " " + info_of(flags) + "\n";
}

std::string lines_of(const std::string& name, const mirrored_folder& folder) {
  std::string lines = "folder " + folder.token + " " + name + "\n";
  for (const auto& [id, flags] : folder.flags) lines += line_of(id, flags);
  for (const auto& [id, each] : folder.planned)
    for (const flag_list& flags : each) lines += "may " + line_of(id, flags);
  return lines;
}

}  // namespace

result<mirror_state> mirror_state::read(mailbox::file_system& disk, const std::string& directory) {
  mirror_state made(disk, directory);
  IMA_TRY(there, disk.status(made.path()));
  if (!there) return made;
  made.found = true;
  IMA_TRY(text, read_all(disk, made.path()));
  IMA_TRY(size, made.parse(text));
  made.size_ = size;
  return made;
}

// Returns how many octets are whole lines.
result<std::uint64_t> mirror_state::parse(std::string_view text) {
  const error damaged{fault::temporary, "mirror-state", path(), "is damaged"};
  const std::string_view whole = text.substr(0, text.rfind('\n') + 1);
  std::string_view rest = whole;
  if (wire::take_up_to(rest, '\n') != first_line) return damaged;
  mirrored_folder* folder = nullptr;
  bool ended = false;
  while (!rest.empty()) {
    const std::string_view line = wire::take_up_to(rest, '\n');
    if (line == "end")
      ended = true;
    else if (!take_line(line, folder))
      return damaged;
  }
  if (!ended) return damaged;
  return std::uint64_t{whole.size()};
}

bool mirror_state::take_line(std::string_view line, mirrored_folder*& folder) {
  const std::string_view word = wire::take_up_to(line, ' ');
  if (word == "folder") {
    const std::string token(wire::take_up_to(line, ' '));
    folder = &folders[std::string(line)];
    folder->token = token;
    return true;
  }
  if (word == "in") {
    folder = &folders[std::string(line)];
    return true;
  }
  if (folder == nullptr || word.empty()) return false;
  if (word == "may") {
    const std::string id(wire::take_up_to(line, ' '));
    folder->planned[id].push_back(flags_of(line));
    return true;
  }
  const std::string id(word);
  folder->flags[id] = flags_of(line);
  folder->planned.erase(id);
  return true;
}

result<void> mirror_state::write() {
  added_.reset();
  const std::string draft = path() + ".new";
  IMA_TRY(there, disk_->status(draft));
  if (there) IMA_CHECK(disk_->unlink(draft));
  IMA_TRY(file, disk_->create(draft));
  IMA_CHECK(file->append(std::string(first_line) + "\n"));
  for (const auto& [name, folder] : folders) IMA_CHECK(file->append(lines_of(name, folder)));
  IMA_CHECK(file->append("end\n"));
  IMA_CHECK(file->sync());
  IMA_TRY(size, file->size());
  IMA_CHECK(disk_->rename(draft, path()));
  size_ = size;
  return disk_->sync_directory(directory_);
}

result<void> mirror_state::plan(const std::string& folder, std::span<const flagged_file> files) {
  if (files.empty()) return {};
  std::string lines = "in " + folder + "\n";
  for (const flagged_file& file : files) lines += "may " + line_of(file.id, file.flags);
  IMA_CHECK(append(lines));
  return added_->sync();
}

result<void> mirror_state::settle(const std::string& folder, const flagged_file& file) {
  return append("in " + folder + "\n" + line_of(file.id, file.flags));
}

result<void> mirror_state::append(std::string_view lines) {
  if (!added_) {
    IMA_TRY(file, disk_->open_append(path()));
    IMA_CHECK(file->truncate(size_));
    added_ = std::move(file);
  }
  return added_->append(lines);
}

}  // namespace ima::translate
