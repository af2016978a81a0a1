#include "translate/mirror_files.hpp"

#include "mailbox/layout.hpp"
#include "support/try.hpp"
#include "translate/maildir_names.hpp"

#include <fmt/format.h>

#include <utility>

namespace ima::translate {
namespace {

// The id in a name "seconds.id.ima", or nothing.
std::string_view id_of(std::string_view file_name) {
  const std::string_view base = own_base_of(file_name);
  const std::size_t dot = base.find('.');
  if (dot == std::string_view::npos || !mailbox::layout::is_id(base.substr(dot + 1))) return {};
  return base.substr(dot + 1);
}

// Whether it was there. What is no longer there was renamed or deleted by a reader.
result<bool> was_there(const result<void>& done) {
  if (done) return true;
  if (done.error().rule == "file-missing") return false;
  return done.error();
}

}  // namespace

result<void> mirror_files::make_directories() {
  bool fresh = false;
  for (const char* part : {"", "/cur", "/new", "/tmp"}) {
    auto made = disk_.make_directory(directory_ + part);
    if (!made && made.error().rule != "file-exists") return made;
    fresh = fresh || made;
  }
  if (!top_) {
    const auto marked = disk_.create(directory_ + folder_mark);
    if (!marked && marked.error().rule != "file-exists") return marked.error();
    fresh = fresh || marked;
  }
  return fresh ? disk_.sync_directory(directory_) : result<void>();
}

// A directory that is not there has no names.
result<void> mirror_files::list(const std::string& place, const name_taker& each) {
  IMA_CHECK(was_there(disk_.list(path(place), each)));
  return {};
}

result<void> mirror_files::list() {
  for (const std::string place : {"new", "cur"})
    IMA_CHECK(list(place, [&](const std::string& name) -> result<void> {
      const std::string id(id_of(name));
      return id.empty() ? result<void>() : found(id, {place, name});
    }));
  return {};
}

// A listing may have both names of a file that its reader renames meanwhile. Of two files that are
// there, that with fewer flags goes.
result<void> mirror_files::found(const std::string& id, mirrored_file file) {
  const auto [at, fresh] = files_.try_emplace(id, file);
  mirrored_file& had = at->second;
  if (fresh || path(had) == path(file)) return {};
  IMA_TRY(there, disk_.status(path(file)));
  if (!there) return {};
  IMA_TRY(other, disk_.status(path(had)));
  file.confirmed = had.confirmed;
  if (!other || flags_of(file.name).size() >= flags_of(had.name).size()) std::swap(had, file);
  if (!other) return {};
  IMA_CHECK(was_there(disk_.unlink(path(file))));
  return {};
}

result<void> mirror_files::remove_drafts() {
  return list("tmp", [&](const std::string& name) -> result<void> {
    if (id_of(name).empty()) return {};
    IMA_CHECK(was_there(disk_.unlink(path("tmp") + "/" + name)));
    return {};
  });
}

mirrored_file* mirror_files::find(std::string_view id) {
  const auto at = files_.find(id);
  return at == files_.end() ? nullptr : &at->second;
}

result<bool> mirror_files::give_flags(mirrored_file& file, const flag_list& flags) {
  mirrored_file wanted = file;
  wanted.place = "cur";
  wanted.name = with_flags(file.name, flags);
  IMA_TRY(renamed, was_there(disk_.rename(path(file), path(wanted))));
  if (renamed) file = wanted;
  return renamed;
}

result<bool> mirror_files::remove(const std::string& id) {
  const auto at = files_.find(id);
  if (at == files_.end()) return false;
  IMA_TRY(removed, was_there(disk_.unlink(path(at->second))));
  files_.erase(at);
  return removed;
}

// What no flag says yet nobody has looked at: it is new.
result<void> mirror_files::write(const flagged_file& file, std::chrono::sys_seconds arrived,
                                 message_to_mime& mail) {
  const std::string name = fmt::format("{}.{}.ima", arrived.time_since_epoch().count(), file.id);
  const std::string draft = path("tmp") + "/" + name;
  if (auto written = write_draft(draft, arrived, mail); !written) {
    IMA_CHECK(was_there(disk_.unlink(draft)));
    return written;
  }
  const bool fresh = file.flags.empty();
  mirrored_file wanted{fresh ? "new" : "cur", fresh ? name : with_flags(name, file.flags), true};
  IMA_CHECK(disk_.rename(draft, path(wanted)));
  files_[file.id] = std::move(wanted);
  return {};
}

result<void> mirror_files::write_draft(const std::string& draft, std::chrono::sys_seconds arrived,
                                       message_to_mime& mail) {
  IMA_TRY(file, disk_.create(draft));
  IMA_CHECK(mail.write([&](octets piece) { return file->append(piece); }));
  IMA_CHECK(file->set_changed(arrived));
  return file->sync();
}

result<void> mirror_files::sync() {
  for (const char* place : {"cur", "new"}) IMA_CHECK(disk_.sync_directory(path(place)));
  return {};
}

// A name that came meanwhile keeps its directory.
result<void> mirror_files::remove_directories() {
  bool empty = true;
  for (const std::string place : {"cur", "new"})
    IMA_CHECK(list(place, [&](const std::string&) -> result<void> {
      empty = false;
      return {};
    }));
  if (!empty) return {};
  IMA_CHECK(was_there(disk_.unlink(directory_ + folder_mark)));
  for (const char* part : {"/cur", "/new", "/tmp", ""}) {
    const auto gone = disk_.remove_directory(directory_ + part);
    if (!gone && gone.error().rule != "file-exists") IMA_CHECK(was_there(gone));
  }
  return {};
}

}  // namespace ima::translate
