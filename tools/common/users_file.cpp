#include "users_file.hpp"

#include "descriptor.hpp"
#include "users.hpp"

#include <ima/small_file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ima::tools {
namespace {

error failed(const std::filesystem::path& path) {
  return {fault::temporary, "storage", path.string(), std::strerror(errno)};
}

// Where lines of a text begin; lines count from 1.
std::size_t line_begin(std::string_view text, std::size_t line) {
  std::size_t at = 0;
  for (; line > 1 && at < text.size(); --line)
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return at;
}

const toml::table* find_user(const toml::table& root, std::string_view user) {
  const toml::table* const all = root["users"].as_table();
  const toml::node* const one = all == nullptr ? nullptr : all->get(user);
  return one == nullptr ? nullptr : one->as_table();
}

// The user's table, which must have a header line of its own: only such text can be edited line by
// line.
result<const toml::table*> editable(const toml::table& root, std::string_view text,
                                    std::string_view user) {
  const toml::table* const table = find_user(root, user);
  if (table == nullptr) return error{fault::refused, "no-user", std::string(user), "no such user"};
  const std::size_t begin = line_begin(text, table->source().begin.line);
  const std::size_t first = text.find_first_not_of(" \t", begin);
  const bool header = !table->is_inline() && first != std::string_view::npos && text[first] == '[';
  if (!header)
    return error{fault::caller, "users-form", std::string(user),
                 "the user is not a [users.\"name\"] table of his own: edit the file by hand"};
  return table;
}

std::size_t last_line(const toml::table& table) {
  std::size_t last = table.source().begin.line;
  for (const auto& [key, node] : table) last = std::max<std::size_t>(last, node.source().end.line);
  return last;
}

result<void> sync_directory(const std::filesystem::path& path) {
  const descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed(path);
  return {};
}

// Makes the owner and group of an open file those of the file at `model`, if there is one.
bool give_to_owner_of(const std::filesystem::path& model, int file) {
  struct stat wanted {};
  struct stat have {};
  if (::stat(model.c_str(), &wanted) != 0) return errno == ENOENT;
  if (::fstat(file, &have) != 0) return false;
  return (have.st_uid == wanted.st_uid && have.st_gid == wanted.st_gid) ||
         ::fchown(file, wanted.st_uid, wanted.st_gid) == 0;
}

std::filesystem::path beside(const std::filesystem::path& path, const char* ending) {
  return path.string() + ending;
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

result<users_file> users_file::open(const std::filesystem::path& path) {
  std::error_code ignored;  // a file that does not exist yet is where it was said to be
  std::filesystem::path real = std::filesystem::canonical(path, ignored);
  if (real.empty()) real = path;
  const auto kind = std::filesystem::symlink_status(real, ignored).type();
  if (kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found)
    return error{fault::caller, "config-file", path.string(), "is not a file"};
  const std::filesystem::path lock = beside(real, ".lock");
  const int held = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (held < 0) return failed(lock);
  users_file file(real, held);
  // Whoever may edit the file may lock it, whoever did so first.
  if (!give_to_owner_of(real, held)) return failed(lock);
  while (::flock(held, LOCK_EX) != 0)
    if (errno != EINTR) return failed(lock);
  if (kind == std::filesystem::file_type::not_found) return file;
  if (auto good = read_users(real); !good) return good.error();
  auto text = read_small_file(real.string(), "config-file");
  if (!text) return text.error();
  file.text_ = *std::move(text);
  return file;
}

users_file::users_file(users_file&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      text_(std::move(other.text_)) {}

users_file::~users_file() {
  if (lock_ >= 0) ::close(lock_);
}

// The text was read as TOML when it was opened, and after each change here: no exception comes.
bool users_file::has(std::string_view user) const {
  return find_user(toml::parse(text_), user) != nullptr;
}

std::optional<std::string> users_file::get(std::string_view user, std::string_view key) const {
  const toml::table root = toml::parse(text_);
  const toml::table* const table = find_user(root, user);
  return table == nullptr ? std::nullopt : (*table)[key].value<std::string>();
}

result<void> users_file::add(std::string_view user) {
  if (has(user))
    return error{fault::refused, "user-exists", path_.string(), "has this user already"};
  if (!text_.empty()) text_ += text_.ends_with('\n') ? "\n" : "\n\n";
  text_ += fmt::format("[users.{}]\n", toml_text(user));
  return {};
}

result<void> users_file::remove(std::string_view user) {
  const toml::table root = toml::parse(text_);
  auto table = editable(root, text_, user);
  if (!table) return table.error();
  std::size_t from = line_begin(text_, (*table)->source().begin.line);
  if (std::string_view(text_).substr(0, from).ends_with("\n\n")) --from;  // the blank line before
  const std::size_t to = line_begin(text_, last_line(**table) + 1);
  text_.erase(from, to - from);
  return {};
}

result<void> users_file::set(std::string_view user, std::string_view key, std::string_view value) {
  const toml::table root = toml::parse(text_);
  auto table = editable(root, text_, user);
  if (!table) return table.error();
  const toml::node* const old = (*table)->get(key);
  std::size_t from = line_begin(text_, (*table)->source().begin.line + 1);
  std::size_t to = from;
  if (old != nullptr) {
    from = line_begin(text_, old->source().begin.line);
    to = line_begin(text_, old->source().end.line + 1);
  }
  text_.replace(from, to - from, value.empty() ? "" : fmt::format("{} = {}\n", key, value));
  return {};
}

// The new file is whole and on disk before it gets the name; owner, group and mode are the old
// one's.
result<void> users_file::write(const std::filesystem::path& fresh) const {
  const descriptor out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (out.get() < 0) return failed(fresh);
  if (!give_to_owner_of(path_, out.get())) return failed(fresh);
  struct stat old {};
  if (::stat(path_.c_str(), &old) == 0 && ::fchmod(out.get(), old.st_mode & 07777) != 0)
    return failed(fresh);
  std::string_view left(text_);
  while (!left.empty()) {
    const ssize_t count = ::write(out.get(), left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(fresh);
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(out.get()) == 0 ? result<void>() : failed(fresh);
}

result<void> users_file::commit() {
  const std::filesystem::path fresh = beside(path_, ".new");
  auto good = write(fresh);
  if (good)
    if (const auto read = read_users(fresh); !read) good = read.error();
  if (!good) {
    ::unlink(fresh.c_str());
    return good;
  }
  if (::rename(fresh.c_str(), path_.c_str()) != 0) return failed(path_);
  return sync_directory(directory_of(path_));
}

}  // namespace ima::tools
