#include "mailbox/layout.hpp"
#include "support/try.hpp"
#include "translate/maildir_names.hpp"
#include "translate/mirror_state.hpp"
#include "translate/stored_body.hpp"

#include <ima/translate/maildir_mirror.hpp>
#include <ima/translate/message_to_mime.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

namespace ima::translate {
namespace {

constexpr std::size_t page = 500;

using flag_list = std::vector<std::string>;

// The flags that a file's name can say.
flag_list with_letters(const flag_list& flags) {
  flag_list out;
  std::copy_if(flags.begin(), flags.end(), std::back_inserter(out), has_letter);
  std::sort(out.begin(), out.end());
  return out;
}

flag_list without(const flag_list& from, const flag_list& other) {
  flag_list out;
  std::set_difference(from.begin(), from.end(), other.begin(), other.end(),
                      std::back_inserter(out));
  return out;
}

// The id in a name "seconds.id.ima", or nothing.
std::string_view id_of(std::string_view file_name) {
  std::string_view base = base_of(file_name);
  if (!base.ends_with(".ima")) return {};
  base.remove_suffix(4);
  const std::size_t dot = base.find('.');
  return dot == std::string_view::npos ? std::string_view() : base.substr(dot + 1);
}

struct mirrored_file {
  std::string place;  // "cur" or "new"
  std::string name;
};

class folder_mirror {
 public:
  folder_mirror(mailbox::mailbox& box, mailbox::file_system& disk, std::string folder,
                std::string directory, mirrored_folder& state, mirror_changes& changes)
      : box_(box),
        disk_(disk),
        folder_(std::move(folder)),
        directory_(std::move(directory)),
        state_(state),
        changes_(changes) {}

  using reporter = std::function<void(const std::string&, const std::vector<remark>&)>;

  result<void> update(const reporter& report, const limits& bounds);
  result<void> remove_all();

 private:
  result<void> prepare();
  result<void> list(const std::string& place);
  result<void> take_flags();
  result<void> follow(const reporter& report, const limits& bounds);
  result<mailbox::change_page> next_page();
  result<void> apply(const mailbox::entry& entry, const reporter& report, const limits& bounds);
  result<void> rename_to(const std::string& id, const flag_list& flags);
  result<void> write(const mailbox::entry& entry, const reporter& report, const limits& bounds);
  result<void> remove(const std::string& id);
  std::string path(const mirrored_file& file) const {
    return directory_ + "/" + file.place + "/" + file.name;
  }

  mailbox::mailbox& box_;
  mailbox::file_system& disk_;
  std::string folder_;
  std::string directory_;
  mirrored_folder& state_;
  mirror_changes& changes_;
  std::map<std::string, mirrored_file, std::less<>> files_;  // by id
};

result<void> folder_mirror::prepare() {
  for (const char* part : {"", "/cur", "/new", "/tmp"}) {
    auto made = disk_.make_directory(directory_ + part);
    if (!made && made.error().rule != "file-exists") return made;
  }
  IMA_CHECK(list("new"));
  return list("cur");
}

result<void> folder_mirror::list(const std::string& place) {
  std::error_code failed;
  for (std::filesystem::directory_iterator at(directory_ + "/" + place, failed), end;
       !failed && at != end; at.increment(failed)) {
    std::string name = at->path().filename().string();
    const std::string id(id_of(name));
    if (!id.empty()) files_[id] = {place, std::move(name)};
  }
  if (!failed) return {};
  return error{fault::temporary, "storage", directory_, failed.message()};
}

// What was changed in the Maildir since the last update.
result<void> folder_mirror::take_flags() {
  for (auto& [id, had] : state_.flags) {
    const auto file = files_.find(id);
    if (file == files_.end()) continue;
    const flag_list now = flags_of(file->second.name);
    const flag_list before = with_letters(had);
    if (now == before) continue;
    const mailbox::flag_change change{without(now, before), without(before, now), std::nullopt};
    IMA_CHECK(box_.set_flags(folder_, std::span(&id, 1), change));
    ++changes_.flags_in;
    had = now;
  }
  return {};
}

result<mailbox::change_page> folder_mirror::next_page() {
  auto got = box_.changes(folder_, state_.token, page);
  if (got || got.error().rule != "resync") return got;
  // The mailbox does not know what became of our files: all that it does not name goes.
  IMA_CHECK(remove_all());
  state_.token = "0";
  return box_.changes(folder_, state_.token, page);
}

result<void> folder_mirror::follow(const reporter& report, const limits& bounds) {
  for (bool more = true; more;) {
    IMA_TRY(got, next_page());
    for (const mailbox::entry& entry : got.entries) IMA_CHECK(apply(entry, report, bounds));
    state_.token = std::move(got.token);
    more = got.more;
  }
  return {};
}

result<void> folder_mirror::apply(const mailbox::entry& entry, const reporter& report,
                                  const limits& bounds) {
  if (entry.gone) return remove(entry.id);
  if (files_.contains(entry.id))
    IMA_CHECK(rename_to(entry.id, entry.flags));
  else
    IMA_CHECK(write(entry, report, bounds));
  state_.flags[entry.id] = with_letters(entry.flags);
  return {};
}

result<void> folder_mirror::rename_to(const std::string& id, const flag_list& flags) {
  mirrored_file& file = files_.find(id)->second;
  if (flags_of(file.name) == with_letters(flags)) return {};
  const mirrored_file wanted{"cur", std::string(base_of(file.name)) + info_of(flags)};
  IMA_CHECK(disk_.rename(path(file), path(wanted)));
  file = wanted;
  ++changes_.flags_out;
  return {};
}

result<void> folder_mirror::write(const mailbox::entry& entry, const reporter& report,
                                  const limits& bounds) {
  IMA_TRY(stored, box_.header(folder_, entry.id));
  if (!stored) return {};  // it has left; the next page says so
  stored_body body(box_, folder_, entry.id, stored->header);
  IMA_TRY(mail, message_to_mime::translate(stored->header, body, bounds));
  const std::string name =
      fmt::format("{}.{}.ima", entry.arrived.time_since_epoch().count(), entry.id);
  const mirrored_file draft{"tmp", name};
  if (auto there = disk_.status(path(draft)); there && *there) IMA_CHECK(disk_.unlink(path(draft)));
  IMA_TRY(file, disk_.create(path(draft)));
  IMA_CHECK(mail.write([&](octets piece) { return file->append(piece); }));
  IMA_CHECK(file->sync());
  // What nobody has looked at is new.
  const bool fresh = with_letters(entry.flags).empty();
  const mirrored_file wanted{fresh ? "new" : "cur", fresh ? name : name + info_of(entry.flags)};
  IMA_CHECK(disk_.rename(path(draft), path(wanted)));
  files_[entry.id] = wanted;
  ++changes_.written;
  report(entry.id, {mail.remarks().begin(), mail.remarks().end()});
  return {};
}

result<void> folder_mirror::remove(const std::string& id) {
  state_.flags.erase(id);
  const auto file = files_.find(id);
  if (file == files_.end()) return {};
  IMA_CHECK(disk_.unlink(path(file->second)));
  files_.erase(file);
  ++changes_.removed;
  return {};
}

result<void> folder_mirror::remove_all() {
  if (files_.empty()) IMA_CHECK(prepare());
  std::vector<std::string> ids;
  for (const auto& [id, file] : files_) ids.push_back(id);
  for (const std::string& id : ids) IMA_CHECK(remove(id));
  state_.flags.clear();
  return {};
}

result<void> folder_mirror::update(const reporter& report, const limits& bounds) {
  IMA_CHECK(prepare());
  IMA_CHECK(take_flags());
  IMA_CHECK(follow(report, bounds));
  // A file that somebody deleted comes back, as deletions go one way only.
  std::vector<std::string> lost;
  for (const auto& [id, flags] : state_.flags)
    if (!files_.contains(id)) lost.push_back(id);
  for (const std::string& id : lost) {
    IMA_TRY(entry, box_.find(folder_, id));
    if (entry) IMA_CHECK(write(*entry, report, bounds));
  }
  for (const char* place : {"/cur", "/new"}) IMA_CHECK(disk_.sync_directory(directory_ + place));
  return {};
}

// A mailbox has a directory new/ too, and would take what is written there for mail.
result<void> check_no_mailbox(mailbox::file_system& disk, const std::string& directory) {
  IMA_TRY(there, disk.status(mailbox::layout::tree{directory}.format()));
  if (!there) return {};
  return error{fault::caller, "transfer-out", directory, "is a mailbox, and no Maildir"};
}

}  // namespace

result<mirror_changes> mirror_to_maildir(
    mailbox::mailbox& box, mailbox::file_system& disk, const std::string& directory,
    const std::function<void(const std::string&, const std::vector<remark>&)>& report,
    const limits& bounds) {
  IMA_CHECK(check_no_mailbox(disk, directory));
  auto made = disk.make_directory(directory);
  if (!made && made.error().rule != "file-exists") return made.error();
  IMA_TRY(state, read_mirror_state(disk, directory));
  IMA_CHECK(box.take_in());
  IMA_TRY(folders, box.folders());
  mirror_changes changes;
  mirror_state next;
  for (const mailbox::folder& folder : folders) {
    mirrored_folder& here = next[folder.name];
    if (const auto had = state.find(folder.name); had != state.end()) here = had->second;
    state.erase(folder.name);
    folder_mirror one(box, disk, folder.name, directory + "/" + directory_of(folder.name), here,
                      changes);
    IMA_CHECK(one.update(report, bounds));
  }
  for (auto& [name, gone] : state) {
    folder_mirror one(box, disk, name, directory + "/" + directory_of(name), gone, changes);
    IMA_CHECK(one.remove_all());
  }
  IMA_CHECK(write_mirror_state(disk, directory, next));
  return changes;
}

}  // namespace ima::translate
