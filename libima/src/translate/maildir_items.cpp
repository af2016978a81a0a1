// Maildirs with subfolders, written as Maildir++. What is written is named by what it is, so that a
// second run finds it.

#include "support/parent_of.hpp"
#include "support/try.hpp"
#include "translate/hash_table.hpp"
#include "translate/item.hpp"
#include "translate/maildir_folders.hpp"
#include "translate/maildir_names.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/translate/mail_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

namespace ima::translate {
namespace {

namespace fs = std::filesystem;

bool leads_to_file(const fs::path& path) {
  std::error_code unknown;
  return fs::is_regular_file(path, unknown);
}

bool is_there(const fs::path& path) {
  std::error_code unknown;
  return fs::symlink_status(path, unknown).type() != fs::file_type::not_found;
}

std::uint64_t hash_of(const std::string& text) { return std::hash<std::string>()(text); }

// A Maildir's reader renames files as he marks them, moves them to other folders, and so while they
// are listed: all is listed again until there is nothing that was not read. A listing during which
// something was renamed proves little, many of them enough.
class maildir_source : public item_source {
 public:
  // From new to cur is the way that a mail program takes.
  explicit maildir_source(const std::vector<maildir_folder>& folders) {
    for (const maildir_folder& one : folders) {
      if (one.problem) places_.push_back(one);
      if (one.problem) continue;
      for (const char* part : {"new", "cur"})
        places_.push_back({one.directory / part, one.folder, std::nullopt});
    }
  }

  result<std::optional<item>> next() override {
    while (true) {
      if (at_ == fs::directory_iterator()) {
        IMA_TRY(more, next_place());
        if (!more) return std::optional<item>();
        if (auto problem = unreadable()) return problem;
        continue;
      }
      const fs::path file = at_->path();
      std::error_code failed;
      at_.increment(failed);
      if (failed) return listing_failed(file.parent_path(), failed);
      if (auto one = read_new(file)) return one;
    }
  }

 private:
  static constexpr int most_in_vain = 20;

  // False at the end of a pass that found nothing, and was not in vain.
  result<bool> next_place() {
    if (next_ > 0 && change_of(places_[next_ - 1].directory) != changed_) restless_ = true;
    if (next_ == places_.size()) {
      in_vain_ = again_ ? 0 : in_vain_ + 1;
      if (!again_ && (!restless_ || in_vain_ == most_in_vain)) return false;
      next_ = 0;
      again_ = restless_ = false;
    }
    const maildir_folder& place = places_[next_++];
    changed_ = change_of(place.directory);
    if (!place.problem) IMA_CHECK(open(place.directory));
    return true;
  }

  result<void> open(const fs::path& where) {
    std::error_code failed;
    at_ = fs::directory_iterator(where, failed);
    if (failed && failed != std::errc::no_such_file_or_directory)
      return listing_failed(where, failed);
    return {};
  }

  static fs::file_time_type change_of(const fs::path& where) {
    std::error_code unknown;
    return fs::last_write_time(where, unknown);
  }

  // A directory that may have folders in it.
  std::optional<item> unreadable() {
    const maildir_folder& place = places_[next_ - 1];
    if (!place.problem || !is_new(place.directory.string())) return std::nullopt;
    item one;
    one.place = place.directory.string();
    one.problem = place.problem;
    return one;
  }

  // Nothing where it was read already, or is no longer there by this name.
  std::optional<item> read_new(const fs::path& file) {
    const std::string name = file.filename().string();
    if (name.starts_with('.')) return std::nullopt;
    const maildir_folder& place = places_[next_ - 1];
    const std::string message = (place.directory.parent_path() / base_of(name)).string();
    if (seen_.contains(hash_of(message))) return std::nullopt;
    item one = read(file);
    if (!one.problem || is_there(file)) {
      is_new(message);
      return one;
    }
    is_new(file.string());
    return std::nullopt;
  }

  // Another pass is worth its while once for each name.
  bool is_new(const std::string& path) {
    if (seen_.contains(hash_of(path))) return false;
    seen_.insert(hash_of(path));
    return again_ = true;
  }

  item read(const fs::path& file) const {
    item one;
    one.place = file.string();
    one.folder = places_[next_ - 1].folder;
    one.flags = flags_of(file.filename().string());
    std::error_code failed;
    const auto changed = fs::last_write_time(file, failed);
    if (!failed)
      one.arrived =
          std::chrono::floor<std::chrono::seconds>(std::chrono::file_clock::to_sys(changed));
    auto mail = open_mail(file);
    if (!mail) {
      one.problem = mail.error();
      return one;
    }
    one.size = mail->size();
    one.octets = std::make_unique<mail_file>(std::move(*mail));
    return one;
  }

  static result<mail_file> open_mail(const fs::path& file) {
    if (leads_to_file(file)) return mail_file::open(file.string());
    return error{fault::caller, "no-input", file.string(), "is no file, and leads to none"};
  }

  std::vector<maildir_folder> places_;  // cur and new of each
  std::size_t next_ = 0;
  fs::directory_iterator at_;
  hash_table seen_;             // messages that were read, and names that were not there
  bool again_ = false;          // this pass found something
  bool restless_ = false;       // something changed during this pass
  fs::file_time_type changed_;  // when the place that is listed did, before
  int in_vain_ = 0;             // passes in a row that found nothing
};

class maildir_target : public item_target {
 public:
  maildir_target(const transfer_options& what, mailbox::file_system& disk)
      : what_(what), disk_(disk) {}

  std::future<result<bool>> write(item& one, std::vector<remark>& remarks) override {
    return done(write_now(one, remarks));
  }

  result<void> finish(bool /*whole*/) override {
    for (const std::string& directory : changed_) IMA_CHECK(disk_.sync_directory(directory));
    return {};
  }

 private:
  result<bool> write_now(item& one, std::vector<remark>& remarks) {
    IMA_TRY(folder, directory_of(one.folder));
    const std::string directory = directory_path(folder);
    IMA_CHECK(open_folder(directory));
    IMA_TRY(identity, identity_of(one));
    const std::string key = identity.hex().substr(0, 32);
    const std::uint64_t hash = hash_of(directory + "/" + key);
    if (there_.contains(hash)) return false;
    const std::string name = fmt::format("{}.{}.ima", one.arrived.time_since_epoch().count(), key);
    const std::string draft = directory + "/tmp/" + name;
    if (auto written = write_file(draft, one, remarks); !written) {
      IMA_CHECK(remove(draft));
      return written.error();
    }
    IMA_CHECK(disk_.rename(draft, directory + "/cur/" + name + info_of(one.flags)));
    changed_.insert(directory + "/cur");
    there_.insert(hash);
    return true;
  }

  std::string directory_path(const std::string& folder) const {
    return (fs::path(what_.out) / folder).string();
  }

  result<void> remove(const std::string& draft) {
    IMA_TRY(there, disk_.status(draft));
    return there ? disk_.unlink(draft) : result<void>();
  }

  result<void> write_file(const std::string& draft, item& one, std::vector<remark>& remarks) {
    IMA_CHECK(remove(draft));
    IMA_TRY(file, disk_.create(draft));
    IMA_CHECK(
        write_mail(one, what_.bounds, remarks, [&](octets piece) { return file->append(piece); }));
    IMA_CHECK(file->set_changed(one.arrived));
    return file->sync();
  }

  result<void> open_folder(const std::string& directory) {
    if (!folders_.insert(directory).second) return {};
    for (const char* part : {"", "/cur", "/new", "/tmp"}) {
      auto made = disk_.make_directory(directory + part);
      if (!made && made.error().rule != "file-exists") return made;
    }
    IMA_CHECK(mark_folder(directory));
    changed_.insert({directory, what_.out, parent_of(what_.out)});
    for (const char* part : {"/cur", "/new"}) IMA_CHECK(remember(directory, directory + part));
    return {};
  }

  result<void> mark_folder(const std::string& directory) {
    if (directory == directory_path({})) return {};
    const auto made = disk_.create(directory + folder_mark);
    return made || made.error().rule == "file-exists" ? result<void>() : made.error();
  }

  // What an earlier run wrote; the flags behind the name may have changed since.
  result<void> remember(const std::string& directory, const std::string& where) {
    std::error_code failed;
    for (fs::directory_iterator at(where, failed), end; !failed && at != end;
         at.increment(failed)) {
      const std::string name = at->path().filename().string();
      const std::string_view base = own_base_of(name);
      if (base.size() < 33) continue;
      there_.insert(hash_of(directory + "/" + std::string(base.substr(base.size() - 32))));
    }
    if (failed) return listing_failed(where, failed);
    return {};
  }

  transfer_options what_;
  mailbox::file_system& disk_;
  std::set<std::string> folders_;
  std::set<std::string> changed_;
  hash_table there_;
};

}  // namespace

result<std::unique_ptr<item_source>> open_maildir_source(const transfer_options& what) {
  IMA_TRY(folders, maildir_folders(what.in));
  return std::unique_ptr<item_source>(std::make_unique<maildir_source>(folders));
}

result<std::unique_ptr<item_target>> open_maildir_target(const transfer_options& what) {
  auto& disk = mailbox::posix_file_system();
  IMA_CHECK(check_no_mailbox(disk, what.out));
  auto made = disk.make_directory(what.out);
  if (!made && made.error().rule != "file-exists") return made.error();
  return std::unique_ptr<item_target>(std::make_unique<maildir_target>(what, disk));
}

}  // namespace ima::translate
