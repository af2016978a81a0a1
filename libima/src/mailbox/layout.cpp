#include "mailbox/layout.hpp"

#include "support/parent_of.hpp"
#include "support/try.hpp"
#include "support/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace ima::mailbox::layout {

namespace {

constexpr std::size_t digest_digits = 64;
constexpr std::size_t copy_digits = 16;
constexpr std::size_t name_octets = 120;
constexpr std::string_view object_suffix = ".ima";
constexpr std::size_t copy_together = 64 * 1024;

bool is_hex(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Separators, what Windows reserves, and characters that turn or hide text.
bool is_unsafe(char32_t c) noexcept {
  if (utf8::is_control(c)) return true;
  if (c < 0x80)
    return std::string_view("/\\:*?\"<>|").find(static_cast<char>(c)) != std::string_view::npos;
  return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

std::string safe_characters(std::string_view name) {
  std::string safe;
  while (!name.empty()) {
    const auto c = utf8::decode(name);
    const std::size_t length = std::max<std::size_t>(c.length, 1);
    if (safe.size() + length > name_octets) break;
    if (c.length == 0 || is_unsafe(c.value))
      safe += '_';
    else
      safe += name.substr(0, length);
    name.remove_prefix(length);
  }
  return safe;
}

}  // namespace

std::string tree::unfinished(bool directory) const {
  return fmt::format("{}/{}", tmp(), object_name(random_hex(tmp_digits), directory));
}
std::string tree::shard(std::string_view id) const {
  return fmt::format("{}/{}", messages(), id.substr(0, 2));
}
std::string tree::tombstone_shard(std::string_view id) const {
  return fmt::format("{}/{}", tombstones(), id.substr(0, 2));
}
std::string tree::tombstone(std::string_view id) const {
  return fmt::format("{}/{}", tombstone_shard(id), id);
}

std::string object_name(std::string_view id, bool directory) {
  return directory ? std::string(id) : fmt::format("{}{}", id, object_suffix);
}

std::optional<std::string_view> id_in(std::string_view name) noexcept {
  if (name.ends_with(object_suffix)) name.remove_suffix(object_suffix.size());
  if (!is_id(name)) return std::nullopt;
  return name;
}

bool is_id(std::string_view text) noexcept {
  if (text.size() == digest_digits) return is_hex(text);
  return text.size() == digest_digits + 1 + copy_digits && text[digest_digits] == '-' &&
         is_hex(text.substr(0, digest_digits)) && is_hex(text.substr(digest_digits + 1));
}

bool is_apart(std::string_view id) noexcept { return id.size() > digest_digits; }

std::string random_hex(std::size_t digits) {
  std::random_device source;
  std::string text;
  while (text.size() < digits) text += fmt::format("{:08x}", source());
  text.resize(digits);
  return text;
}

bool is_inline(const part_info& part) noexcept {
  return part.name.empty() && part.media_type.starts_with("text/") && part.role != "attachment" &&
         part.size <= inline_limit;
}

bool has_attachments(const header_block& header) noexcept {
  return !std::ranges::all_of(header.parts(), is_inline);
}

std::string attachment_name(std::size_t part, std::string_view name) {
  std::string safe = safe_characters(name);
  while (!safe.empty() && (safe.back() == '.' || safe.back() == ' ')) safe.pop_back();
  return safe.empty() ? fmt::format("{}", part) : fmt::format("{}-{}", part, safe);
}

result<std::optional<object>> find_object(file_system& files, const std::string& directory,
                                          std::string_view id) {
  for (const bool as_directory : {false, true}) {
    object found{fmt::format("{}/{}", directory, object_name(id, as_directory)), as_directory};
    IMA_TRY(status, files.status(found.path));
    if (status && status->directory == as_directory) return std::optional(std::move(found));
  }
  return std::optional<object>();
}

result<bool> was_deleted_of_late(file_system& files, const tree& where, std::string_view id) {
  IMA_TRY(status, files.status(where.tombstone(id)));
  return status && files.now() - status->changed <= tombstone_age;
}

result<bool> find_durable(file_system& files, const std::string& directory, std::string_view id) {
  IMA_TRY(found, find_object(files, directory, id));
  if (found) IMA_CHECK(files.sync_directory(directory));
  return found.has_value();
}

namespace {

result<void> if_there(result<void> done) {
  if (!done && done.error().rule == "file-missing") return {};
  return done;
}

result<void> copy_file(file_system& files, const std::string& from, const std::string& to) {
  IMA_TRY(source, files.open(from));
  IMA_TRY(copy, files.create(to));
  return copy_rest(*source, 0, *copy);
}

}  // namespace

result<void> copy_rest(const file& from, std::uint64_t offset, file& to) {
  std::string buffer(copy_together, '\0');
  while (true) {
    IMA_TRY(count, from.read_at(offset, buffer));
    if (count == 0) return to.sync();
    IMA_CHECK(to.append(octets(buffer).substr(0, count)));
    offset += count;
  }
}

result<void> remove_leftover(file_system& files, const object& what) {
  if (!what.directory) return if_there(files.unlink(what.path));
  IMA_CHECK(if_there(files.list(what.path, [&](const std::string& name) {
    return if_there(files.unlink(what.path + "/" + name));
  })));
  return if_there(files.remove_directory(what.path));
}

result<void> remove_object(file_system& files, const tree& where, const object& what) {
  if (!what.directory) return if_there(files.unlink(what.path));
  const object aside{where.unfinished(true), true};
  auto moved = files.rename(what.path, aside.path);
  if (!moved) return if_there(moved);
  (void)remove_leftover(files, aside);
  return {};
}

result<std::vector<std::string>> make_directories(file_system& files, const tree& where) {
  std::vector<std::string> names{"tmp", "new", "sync", "msg", "gone"};
  for (const auto* above : {"msg", "gone"})
    for (int i = 0; i < 256; ++i) names.push_back(fmt::format("{}/{:02x}", above, i));
  std::vector<std::string> made;
  for (auto& name : names) {
    const std::string path = where.root + "/" + name;
    IMA_TRY(there, files.status(path));
    if (there) continue;
    IMA_CHECK(files.make_directory(path));
    made.push_back(std::move(name));
  }
  if (made.empty()) return made;
  for (const auto& directory : {where.root, where.messages(), where.tombstones()})
    IMA_CHECK(files.sync_directory(directory));
  return made;
}

result<readable> open_or_read(file_system& files, const std::string& path) {
  auto opened = files.open_append(path);
  if (opened) return readable{std::move(*opened), false};
  if (opened.error().rule != "read-only") return opened.error();
  IMA_TRY(read, files.open(path));
  return readable{std::move(read), true};
}

result<void> unless_read_only(result<void> done) {
  if (!done && done.error().rule == "read-only") return {};
  return done;
}

bool is_put_off(const error& e) { return e.rule == "disk-full" || e.rule == "read-only"; }

void make_above(file_system& files, const std::string& path) {
  std::vector<std::string> missing{parent_of(path)};
  while (true) {
    const auto made = files.make_directory(missing.back());
    if (made || made.error().rule != "file-missing") break;
    missing.push_back(parent_of(missing.back()));
  }
  // The last one is there now, if it can be.
  for (missing.pop_back(); !missing.empty(); missing.pop_back())
    (void)files.make_directory(missing.back());
}

result<void> link_or_copy(file_system& files, const std::string& from, const std::string& to) {
  auto linked = files.link(from, to);
  if (!linked && linked.error().rule == "file-link") return copy_file(files, from, to);
  return linked;
}

}  // namespace ima::mailbox::layout
