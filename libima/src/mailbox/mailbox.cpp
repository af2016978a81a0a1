#include "mailbox/store.hpp"
#include "support/parent_of.hpp"

#include <ima/digest.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

// Making and opening a mailbox, and the notes kept in it (docs/mailbox.md section 3).

namespace ima::mailbox {

namespace {

constexpr std::size_t longest_sync_name = 100;

std::string sync_path(const layout::tree& tree, std::string_view name) {
  std::string path = tree.sync() + "/";
  for (const char c : name) path += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return path;
}

std::string first_append() {
  return journal_line(1, folder_record{1, "inbox", "inbox"}) +
         journal_line(2, commit_record{1, 0, 0});
}

// What a making that was cut short left says nothing; anything longer does.
result<void> check_unused(file_system& files, const layout::tree& tree, std::uint64_t generation) {
  IMA_TRY(format, files.status(tree.format()));
  if (format) return caller_error("mailbox-exists", tree.root, "there is a mailbox already");
  IMA_TRY(journal, files.status(tree.journal()));
  if (journal && journal->size > journal_front(generation).size() + first_append().size())
    return caller_error("mailbox-exists", tree.root,
                        "there is a mailbox's journal without its file 'format': repair it");
  return {};
}

result<void> make_journal(file_system& files, const layout::tree& tree, std::uint64_t generation) {
  auto cleared = files.unlink(tree.journal());
  if (!cleared && cleared.error().rule != "file-missing") return cleared;
  IMA_CHECK(journal::create(files, tree.journal(), generation));
  IMA_TRY(log, journal::open(files, tree.journal()));
  return log.append(first_append());
}

// `format` comes last: without it there is no mailbox, and the next create() begins again.
result<void> make_tree(file_system& files, const layout::tree& tree) {
  const auto generation = static_cast<std::uint64_t>(files.now().time_since_epoch().count());
  IMA_CHECK(check_unused(files, tree, generation));
  IMA_CHECK(layout::make_directories(files, tree));
  IMA_CHECK(make_journal(files, tree, generation));
  IMA_CHECK(write_format(files, tree));
  return files.sync_directory(parent_of(tree.root));
}

}  // namespace

error caller_error(std::string_view rule, std::string_view place, std::string_view text) {
  return {fault::caller, rule, std::string(place), std::string(text)};
}

mailbox::mailbox(std::unique_ptr<state> s) : state_(std::move(s)) {}
mailbox::mailbox(mailbox&&) noexcept = default;
mailbox& mailbox::operator=(mailbox&&) noexcept = default;
mailbox::~mailbox() = default;

// With the lock held, as two that make the same mailbox at once must not both make its journal.
result<void> mailbox::create(file_system& files, const std::string& path) {
  const layout::tree tree{path};
  auto made = files.make_directory(path);
  if (!made && made.error().rule != "file-exists") return made;
  IMA_TRY(lock, files.open_append(tree.lock()));
  IMA_CHECK(lock->lock());
  return make_tree(files, tree);
}

result<mailbox> mailbox::open(file_system& files, const std::string& path, options o) {
  auto s = std::make_unique<state>(files, path);
  IMA_CHECK(check_format(files, s->tree));
  s->index_path = o.index.empty() ? path + "/index" : std::move(o.index);
  s->events = o.log;
  s->patience = o.patience;
  s->kept_out = !o.wait_to_open;
  IMA_CHECK(s->locked([] { return result<void>(); }));
  return mailbox(std::move(s));
}

std::string index_in(const std::string& directory, const std::string& path) {
  std::error_code unknown;  // then the path itself is as good a name
  const auto real = std::filesystem::weakly_canonical(path, unknown);
  return fmt::format("{}/{}", directory, digest::of(unknown ? path : real.string()).hex());
}

// A temporary index would be lost.
void mailbox::rest() {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  if (!s.cache || !s.cache->is_file()) return;
  s.cache.reset();
  s.indexed_to.reset();
  s.log.reset();
  s.lock_file.reset();
}

result<void> mailbox::rebuild() {
  const std::lock_guard guard(state_->mutex);
  return state_->renew();
}

result<std::string> mailbox::sync_state(std::string_view name) {
  state& s = *state_;
  IMA_TRY(text, read_small(s.files, sync_path(s.tree, name)));
  return std::move(text).value_or("");
}

result<void> mailbox::set_sync_state(std::string_view name, octets value) {
  state& s = *state_;
  if (name.empty() || name.size() > longest_sync_name || value.size() > longest_small_file)
    return caller_error("sync-state", name, "the name or the state is too long");
  if (value.empty()) {
    auto gone = s.files.unlink(sync_path(s.tree, name));
    if (!gone && gone.error().rule != "file-missing") return gone;
    return s.files.sync_directory(s.tree.sync());
  }
  return replace_small(s.files, s.tree, value, sync_path(s.tree, name), s.tree.sync());
}

}  // namespace ima::mailbox
