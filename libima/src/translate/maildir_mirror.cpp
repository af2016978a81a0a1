#include "mailbox/layout.hpp"
#include "support/try.hpp"
#include "translate/maildir_names.hpp"
#include "translate/mirror_state.hpp"
#include "translate/stored_body.hpp"
#include "translate/watched_source.hpp"

#include <ima/translate/maildir_mirror.hpp>
#include <ima/translate/message_to_mime.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
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

  result<void> update(const transfer_report& report, const limits& bounds);
  result<void> remove_all();

 private:
  result<void> prepare();
  result<void> list(const std::string& place);
  result<void> found(const std::string& id, const mirrored_file& file);
  result<void> take_flags();
  result<void> follow(const transfer_report& report, const limits& bounds);
  result<mailbox::change_page> next_page();
  result<void> apply(const mailbox::entry& entry, const transfer_report& report,
                     const limits& bounds);
  result<void> rename_to(const std::string& id, const flag_list& flags);
  result<void> write_lost(const transfer_report& report, const limits& bounds);
  result<void> write(const mailbox::entry& entry, const transfer_report& report,
                     const limits& bounds);
  result<void> write_file(const mailbox::entry& entry, const header_block& header,
                          const limits& bounds, transferred& outcome);
  result<void> write_draft(const std::string& draft, message_to_mime& mail);
  result<void> remove_draft(const std::string& draft);
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
  std::set<std::string> unreadable_;                         // ids that this update left out
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
    if (!id.empty()) IMA_CHECK(found(id, {place, std::move(name)}));
  }
  if (!failed) return {};
  return error{fault::temporary, "storage", directory_, failed.message()};
}

// A listing may miss a file that its reader renames meanwhile, and the message is written again; or
// it may have both names of one file. Of two that are there, that with fewer flags goes.
result<void> folder_mirror::found(const std::string& id, const mirrored_file& file) {
  const auto [had, fresh] = files_.try_emplace(id, file);
  if (fresh) return {};
  IMA_TRY(there, disk_.status(path(file)));
  if (!there) return {};
  mirrored_file other = std::exchange(had->second, file);
  if (flags_of(other.name).size() > flags_of(file.name).size()) std::swap(other, had->second);
  auto gone = disk_.unlink(path(other));
  return gone || gone.error().rule == "file-missing" ? result<void>() : gone;
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

result<void> folder_mirror::follow(const transfer_report& report, const limits& bounds) {
  for (bool more = true; more;) {
    IMA_TRY(got, next_page());
    for (const mailbox::entry& entry : got.entries) IMA_CHECK(apply(entry, report, bounds));
    state_.token = std::move(got.token);
    more = got.more;
  }
  return {};
}

result<void> folder_mirror::apply(const mailbox::entry& entry, const transfer_report& report,
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

// A message that cannot be read is reported; the next update tries it again.
result<void> folder_mirror::write(const mailbox::entry& entry, const transfer_report& report,
                                  const limits& bounds) {
  transferred outcome{folder_ + " " + entry.id, {}, false, std::nullopt};
  const auto stored = box_.header(folder_, entry.id);
  if (stored && !*stored) return {};  // it has left; the next page says so
  if (stored)
    IMA_CHECK(write_file(entry, (*stored)->header, bounds, outcome));
  else
    outcome.problem = stored.error();
  if (outcome.problem) {
    ++changes_.left_out;
    unreadable_.insert(entry.id);
  }
  return report(outcome);
}

result<void> folder_mirror::write_file(const mailbox::entry& entry, const header_block& header,
                                       const limits& bounds, transferred& outcome) {
  const std::string name =
      fmt::format("{}.{}.ima", entry.arrived.time_since_epoch().count(), entry.id);
  const std::string draft = path({"tmp", name});
  watched_source body(std::make_unique<stored_body>(box_, folder_, entry.id, header));
  auto mail = message_to_mime::translate(header, body, bounds);
  if (!mail) {
    outcome.problem = mail.error();
    return {};
  }
  outcome.remarks.assign(mail->remarks().begin(), mail->remarks().end());
  IMA_CHECK(remove_draft(draft));
  auto drafted = write_draft(draft, *mail);
  if (!drafted) {
    if (!body.failed()) return drafted;
    outcome.problem = drafted.error();
    return remove_draft(draft);
  }
  // What nobody has looked at is new.
  const bool fresh = with_letters(entry.flags).empty();
  const mirrored_file wanted{fresh ? "new" : "cur", fresh ? name : name + info_of(entry.flags)};
  IMA_CHECK(disk_.rename(draft, path(wanted)));
  files_[entry.id] = wanted;
  ++changes_.written;
  return {};
}

result<void> folder_mirror::write_draft(const std::string& draft, message_to_mime& mail) {
  IMA_TRY(file, disk_.create(draft));
  IMA_CHECK(mail.write([&](octets piece) { return file->append(piece); }));
  return file->sync();
}

result<void> folder_mirror::remove_draft(const std::string& draft) {
  IMA_TRY(there, disk_.status(draft));
  return there ? disk_.unlink(draft) : result<void>();
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

result<void> folder_mirror::update(const transfer_report& report, const limits& bounds) {
  IMA_CHECK(prepare());
  IMA_CHECK(take_flags());
  IMA_CHECK(follow(report, bounds));
  IMA_CHECK(write_lost(report, bounds));
  for (const char* place : {"/cur", "/new"}) IMA_CHECK(disk_.sync_directory(directory_ + place));
  return {};
}

// A file that somebody deleted comes back, as deletions go one way only; and so does what an
// earlier update could not read.
result<void> folder_mirror::write_lost(const transfer_report& report, const limits& bounds) {
  std::vector<std::string> lost;
  for (const auto& [id, flags] : state_.flags)
    if (!files_.contains(id) && !unreadable_.contains(id)) lost.push_back(id);
  for (const std::string& id : lost) {
    IMA_TRY(entry, box_.find(folder_, id));
    if (entry) IMA_CHECK(write(*entry, report, bounds));
  }
  return {};
}

// A mailbox has a directory new/ too, and would take what is written there for mail.
result<void> check_no_mailbox(mailbox::file_system& disk, const std::string& directory) {
  IMA_TRY(there, disk.status(mailbox::layout::tree{directory}.format()));
  if (!there) return {};
  return error{fault::caller, "transfer-out", directory, "is a mailbox, and no Maildir"};
}

// Updates one Maildir, folder by folder.
class maildir_update {
 public:
  maildir_update(mailbox::mailbox& box, mailbox::file_system& disk, std::string directory,
                 const transfer_report& report, const limits& bounds)
      : box_(box),
        disk_(disk),
        directory_(std::move(directory)),
        report_(report),
        bounds_(bounds) {}

  result<mirror_changes> run();

 private:
  result<void> update(const std::string& folder);
  result<void> remove(const std::string& folder, mirrored_folder& had);
  folder_mirror mirror_of(const std::string& folder, const std::string& name,
                          mirrored_folder& state) {
    return {box_, disk_, folder, directory_ + "/" + name, state, changes_};
  }

  mailbox::mailbox& box_;
  mailbox::file_system& disk_;
  std::string directory_;
  const transfer_report& report_;
  const limits& bounds_;
  mirror_state before_;
  mirror_state now_;
  mirror_changes changes_;
};

result<mirror_changes> maildir_update::run() {
  IMA_TRY(state, read_mirror_state(disk_, directory_));
  before_ = std::move(state);
  IMA_CHECK(box_.take_in());
  IMA_TRY(folders, box_.folders());
  for (const mailbox::folder& folder : folders) IMA_CHECK(update(folder.name));
  for (auto& [name, gone] : before_) IMA_CHECK(remove(name, gone));
  IMA_CHECK(write_mirror_state(disk_, directory_, now_));
  return changes_;
}

// A folder that a Maildir cannot name is reported and left out.
result<void> maildir_update::update(const std::string& folder) {
  const auto name = directory_of(folder);
  if (!name) {
    ++changes_.left_out;
    return report_({folder, {}, false, name.error()});
  }
  mirrored_folder& here = now_[folder];
  if (const auto had = before_.find(folder); had != before_.end()) here = had->second;
  before_.erase(folder);
  return mirror_of(folder, *name, here).update(report_, bounds_);
}

result<void> maildir_update::remove(const std::string& folder, mirrored_folder& had) {
  IMA_TRY(name, directory_of(folder));
  return mirror_of(folder, name, had).remove_all();
}

}  // namespace

result<mirror_changes> mirror_to_maildir(mailbox::mailbox& box, mailbox::file_system& disk,
                                         const std::string& directory,
                                         const transfer_report& report, const limits& bounds) {
  IMA_CHECK(check_no_mailbox(disk, directory));
  auto made = disk.make_directory(directory);
  if (!made && made.error().rule != "file-exists") return made.error();
  return maildir_update(box, disk, directory, report, bounds).run();
}

}  // namespace ima::translate
