#include "translate/maildir_folders.hpp"

#include "mailbox/layout.hpp"
#include "support/try.hpp"
#include "translate/maildir_names.hpp"
#include "translate/mime_words.hpp"
#include "translate/modified_utf7.hpp"

#include <algorithm>
#include <utility>

namespace ima::translate {
namespace {

namespace fs = std::filesystem;

constexpr int deepest = 32;  // more levels than a folder's name has

// What cannot be looked at, such as a link in a circle, is none.
bool leads_to_directory(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

// The name of a folder in a directory "name" that is in that of the folder "above". In the layout
// that mbsync calls Legacy a dot is before the names of lower levels, which says no more.
std::string name_below(const std::string& above, const std::string& name) {
  if (above.empty() && name.starts_with('.')) return folder_of(name);
  if (above.empty() && lower(name) == "inbox") return "inbox";
  const std::string own = from_modified_utf7(name.substr(name.starts_with('.') ? 1 : 0));
  return above.empty() ? own : above + "/" + own;
}

bool is_part(const std::string& name) { return name == "cur" || name == "new" || name == "tmp"; }

class folder_finder {
 public:
  void look_into(const fs::path& where, const std::string& folder, int depth);
  std::vector<maildir_folder> take() { return std::move(found_); }

 private:
  void look_at(const fs::directory_entry& one, const std::string& above, int depth);

  std::vector<maildir_folder> found_;
};

void folder_finder::look_into(const fs::path& where, const std::string& folder, int depth) {
  std::error_code failed;
  for (fs::directory_iterator at(where, failed), end; !failed && at != end; at.increment(failed))
    look_at(*at, folder, depth);
  if (failed) found_.push_back({where, folder, listing_failed(where, failed)});
}

// A link may lead to a folder, but none is looked for below it: it may lead back.
void folder_finder::look_at(const fs::directory_entry& one, const std::string& above, int depth) {
  const std::string name = one.path().filename().string();
  if (is_part(name) || !leads_to_directory(one.path())) return;
  const std::string folder = name_below(above, name);
  if (leads_to_directory(one.path() / "cur")) found_.push_back({one.path(), folder, {}});
  std::error_code unknown;
  if (depth < deepest && !one.is_symlink(unknown)) look_into(one.path(), folder, depth + 1);
}

}  // namespace

error listing_failed(const fs::path& where, const std::error_code& why) {
  return {fault::temporary, "storage", where.string(), why.message()};
}

result<std::vector<maildir_folder>> maildir_folders(const fs::path& root) {
  std::error_code failed;
  const fs::directory_iterator readable(root, failed);
  if (failed) return error{fault::caller, "no-input", root.string(), failed.message()};
  folder_finder finder;
  finder.look_into(root, {}, 0);
  std::vector<maildir_folder> found = finder.take();
  if (leads_to_directory(root / "cur")) found.push_back({root, "inbox", {}});
  const auto by_name = [](const maildir_folder& a, const maildir_folder& b) {
    return std::pair(a.folder != "inbox", a.directory) <
           std::pair(b.folder != "inbox", b.directory);
  };
  std::sort(found.begin(), found.end(), by_name);
  if (std::any_of(found.begin(), found.end(), [](const auto& f) { return !f.problem; }))
    return found;
  return error{fault::caller, "no-input", root.string(), "is no Maildir: it has no directory cur"};
}

// A mailbox has a directory new/ too, and would take what is written there for mail.
result<void> check_no_mailbox(mailbox::file_system& disk, const std::string& directory) {
  IMA_TRY(there, disk.status(mailbox::layout::tree{directory}.format()));
  if (!there) return {};
  return error{fault::caller, "transfer-out", directory, "is a mailbox, and no Maildir"};
}

}  // namespace ima::translate
