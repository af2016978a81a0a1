#include "mailbox/record.hpp"
#include "mailbox/store.hpp"
#include "wire/words.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ima::mailbox {

namespace {

constexpr std::array<std::string_view, 6> roles{"inbox",   "sent", "drafts",
                                                "archive", "junk", "trash"};
constexpr std::size_t longest_sync_name = 100;
constexpr std::size_t longest_sync_state = 64 * 1024;

error caller(std::string_view rule, std::string_view place, std::string_view text) {
  return {fault::caller, rule, std::string(place), std::string(text)};
}

result<void> make_if_missing(file_system& files, const std::string& path) {
  auto made = files.make_directory(path);
  if (!made && made.error().rule != "file-exists") return made;
  return {};
}

result<void> make_shards(file_system& files, const std::string& directory) {
  IMA_CHECK(make_if_missing(files, directory));
  for (int i = 0; i < 256; ++i)
    IMA_CHECK(make_if_missing(files, fmt::format("{}/{:02x}", directory, i)));
  return files.sync_directory(directory);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

result<void> write_new(file_system& files, const std::string& path, octets text) {
  IMA_TRY(made, files.create(path));
  IMA_CHECK(made->append(text));
  return made->sync();
}

result<std::string> read_small(file_system& files, const std::string& path) {
  IMA_TRY(opened, files.open(path));
  std::string text(longest_sync_state, '\0');
  IMA_TRY(count, opened->read_at(0, text));
  text.resize(count);
  return text;
}

std::string sync_path(const layout::tree& tree, std::string_view name) {
  std::string path = tree.sync() + "/";
  for (const char c : name) path += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return path;
}

}  // namespace

mailbox::mailbox(std::unique_ptr<state> s) : state_(std::move(s)) {}
mailbox::mailbox(mailbox&&) noexcept = default;
mailbox& mailbox::operator=(mailbox&&) noexcept = default;
mailbox::~mailbox() = default;

// `format` comes last: without it there is no mailbox, and the next create() begins again.
result<void> mailbox::create(file_system& files, const std::string& path) {
  const layout::tree tree{path};
  IMA_TRY(there, files.status(tree.format()));
  if (there) return caller("mailbox-exists", path, "there is a mailbox already");
  IMA_CHECK(make_if_missing(files, path));
  for (const auto& directory : {tree.tmp(), tree.incoming(), tree.sync()})
    IMA_CHECK(make_if_missing(files, directory));
  IMA_CHECK(make_shards(files, tree.messages()));
  IMA_CHECK(make_shards(files, tree.tombstones()));
  auto cleared = files.unlink(tree.journal());
  if (!cleared && cleared.error().rule != "file-missing") return cleared;
  const auto generation = static_cast<std::uint64_t>(files.now().time_since_epoch().count());
  IMA_CHECK(journal::create(files, tree.journal(), generation));
  {
    IMA_TRY(log, journal::open(files, tree.journal()));
    IMA_CHECK(log.append(journal_line(1, folder_record{1, "inbox", "inbox"})));
  }
  const std::string unfinished = tree.tmp() + "/" + layout::random_hex(32);
  IMA_CHECK(write_new(files, unfinished, layout::format_line));
  IMA_CHECK(files.rename(unfinished, tree.format()));
  IMA_CHECK(files.sync_directory(path));
  return files.sync_directory(parent_of(path));
}

result<mailbox> mailbox::open(file_system& files, const std::string& path, options o) {
  auto s = std::make_unique<state>(files, path);
  auto format = read_small(files, s->tree.format());
  if (!format || *format != layout::format_line)
    return error{fault::temporary, "mailbox-format", path, "not a mailbox of version 1"};
  IMA_TRY(lock_file, files.open_append(s->tree.lock()));
  s->lock_file = std::move(lock_file);
  IMA_TRY(log, journal::open(files, s->tree.journal()));
  s->log = std::move(log);
  s->index_path = o.index.empty() ? path + "/index" : std::move(o.index);
  auto cache = index::open(s->index_path);
  if (!cache) {
    index::remove(s->index_path);
    cache = index::open(s->index_path);
  }
  if (!cache) return cache.error();
  s->cache.emplace(std::move(*cache));
  IMA_CHECK(s->refresh());
  return mailbox(std::move(s));
}

std::string mailbox::state::token(std::uint64_t seq) const {
  return fmt::format("{}.{}", log.generation(), seq);
}

result<folder_record> mailbox::state::folder(std::string_view name) {
  IMA_TRY(found, cache->folder(name));
  if (!found) return caller("no-folder", name, "no such folder");
  return *found;
}

result<std::vector<folder>> mailbox::folders() {
  const std::lock_guard guard(state_->mutex);
  IMA_CHECK(state_->refresh());
  IMA_TRY(found, state_->cache->folders());
  std::vector<struct folder> all;
  for (auto& f : found) all.push_back({std::move(f.name), std::move(f.role)});
  return all;
}

result<void> mailbox::create_folder(std::string_view name, std::string_view role) {
  state& s = *state_;
  IMA_CHECK(check_folder_name(name));
  if (!role.empty() && std::ranges::find(roles, role) == roles.end())
    return caller("folder-role", role, "not a role");
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(all, s.cache->folders());
    for (const auto& f : all) {
      if (f.name == name) return caller("folder-exists", name, "there is such a folder");
      if (!role.empty() && f.role == role) return caller("folder-role", role, "another has it");
    }
    IMA_TRY(last, s.cache->last_folder());
    return s.append({folder_record{last + 1, std::string(role), std::string(name)}});
  });
}

result<void> mailbox::rename_folder(std::string_view name, std::string_view to) {
  state& s = *state_;
  IMA_CHECK(check_folder_name(to));
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(from, s.folder(name));
    if (from.role == "inbox") return caller("folder-in-use", name, "inbox keeps its name");
    IMA_TRY(taken, s.cache->folder(to));
    if (taken) return caller("folder-exists", to, "there is such a folder");
    return s.append({folder_record{from.number, from.role, std::string(to)}});
  });
}

result<void> mailbox::delete_folder(std::string_view name) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(found, s.folder(name));
    IMA_TRY(now, s.cache->status(found.number));
    if (found.role == "inbox" || now.messages > 0)
      return caller("folder-in-use", name, "inbox, or not empty");
    return s.append({folder_removal_record{found.number}});
  });
}

result<folder_status> mailbox::status(std::string_view folder) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  IMA_CHECK(s.refresh());
  IMA_TRY(found, s.folder(folder));
  IMA_TRY(now, s.cache->status(found.number));
  IMA_TRY(position, s.cache->where());
  now.token = s.token(position.seq);
  return now;
}

result<change_page> mailbox::changes(std::string_view folder, std::string_view token,
                                     std::size_t limit) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  IMA_CHECK(s.refresh());
  IMA_TRY(found, s.folder(folder));
  IMA_TRY(position, s.cache->where());
  std::uint64_t after = 0;
  if (token != "0") {
    const std::size_t dot = std::min(token.find('.'), token.size());
    const auto generation = wire::parse_number(token.substr(0, dot));
    const auto seq = wire::parse_number(token.substr(std::min(dot + 1, token.size())));
    if (generation != s.log.generation() || !seq || *seq > position.seq)
      return caller("resync", token, "the state token is not known");
    after = *seq;
  }
  change_page page;
  IMA_TRY(entries, s.cache->changes(found.number, after, limit + 1));
  page.more = entries.size() > limit;
  if (page.more) entries.resize(limit);
  page.token = s.token(page.more && limit > 0 ? entries.back().seq
                       : page.more            ? after
                                              : position.seq);
  page.entries = std::move(entries);
  return page;
}

result<std::optional<entry>> mailbox::find(std::string_view folder, std::string_view id) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  IMA_CHECK(s.refresh());
  IMA_TRY(found, s.folder(folder));
  return s.cache->find(found.number, id);
}

result<std::string> mailbox::sync_state(std::string_view name) {
  state& s = *state_;
  auto text = read_small(s.files, sync_path(s.tree, name));
  if (!text && text.error().rule == "file-missing") return std::string();
  return text;
}

result<void> mailbox::set_sync_state(std::string_view name, octets value) {
  state& s = *state_;
  if (name.empty() || name.size() > longest_sync_name || value.size() > longest_sync_state)
    return caller("sync-state", name, "the name or the state is too long");
  const std::string unfinished = s.tree.tmp() + "/" + layout::random_hex(32);
  IMA_CHECK(write_new(s.files, unfinished, value));
  IMA_CHECK(s.files.rename(unfinished, sync_path(s.tree, name)));
  return s.files.sync_directory(s.tree.sync());
}

}  // namespace ima::mailbox
