#include "mailbox/record.hpp"
#include "mailbox/store.hpp"
#include "wire/words.hpp"

#include <ima/roles.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

// Folders: their names, roles and counts, and what changed in one (docs/mailbox.md section 5).

namespace ima::mailbox {

namespace {

result<void> check_role(std::string_view role, std::string_view name,
                        const std::vector<index::folder_row>& all) {
  if (role.empty()) return {};
  if (!is_role(role)) return caller_error("folder-role", role, "not a role");
  for (const auto& f : all)
    if (f.role == role && f.name != name)
      return caller_error("folder-role", role, "another has it");
  return {};
}

error folder_in_use(std::string_view name) {
  return caller_error("folder-in-use", name, "inbox keeps its name and role");
}

}  // namespace

result<index::folder_row> mailbox::state::folder(std::string_view name) {
  IMA_TRY(found, cache->folder(name));
  if (!found) return caller_error("no-folder", name, "no such folder");
  return *found;
}

result<std::vector<folder>> mailbox::folders() {
  state& s = *state_;
  return s.reading([&]() -> result<std::vector<struct folder>> {
    IMA_TRY(found, s.cache->folders());
    std::vector<struct folder> all;
    for (auto& f : found)
      all.push_back(
          {std::move(f.name), std::move(f.role), f.holds.messages, f.holds.unseen, f.holds.size});
    return all;
  });
}

result<void> mailbox::create_folder(std::string_view name, std::string_view role) {
  state& s = *state_;
  IMA_CHECK(check_folder_name(name));
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(all, s.cache->folders());
    IMA_CHECK(check_role(role, name, all));
    for (const auto& f : all)
      if (f.name == name) return caller_error("folder-exists", name, "there is such a folder");
    IMA_TRY(last, s.cache->last_folder());
    return s.append(folder_record{last + 1, std::string(role), std::string(name)});
  });
}

result<void> mailbox::rename_folder(std::string_view name, std::string_view to) {
  state& s = *state_;
  IMA_CHECK(check_folder_name(to));
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(from, s.folder(name));
    if (from.role == "inbox") return folder_in_use(name);
    IMA_TRY(taken, s.cache->folder(to));
    if (taken) return caller_error("folder-exists", to, "there is such a folder");
    return s.append(folder_record{from.number, from.role, std::string(to)});
  });
}

result<void> mailbox::set_folder_role(std::string_view name, std::string_view role) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(found, s.folder(name));
    IMA_TRY(all, s.cache->folders());
    IMA_CHECK(check_role(role, name, all));
    if (found.role == role) return {};
    if (found.role == "inbox") return folder_in_use(name);
    return s.append(folder_record{found.number, std::string(role), found.name});
  });
}

result<void> mailbox::delete_folder(std::string_view name) {
  state& s = *state_;
  const std::lock_guard guard(s.mutex);
  return s.locked([&]() -> result<void> {
    IMA_TRY(found, s.folder(name));
    if (found.role == "inbox" || found.holds.messages > 0)
      return caller_error("folder-in-use", name, "inbox, or not empty");
    return s.append(folder_removal_record{found.number});
  });
}

// A token is `generation.folder.seq`, and while a folder is listed for the first time also
// `.start`, the seq at which that began: what left before was never told, so its leaving needs no
// telling.
std::string mailbox::state::write(const token& t) const {
  const std::string text = fmt::format("{}.{}.{}", log->generation(), t.folder, t.seq);
  return t.start > t.seq ? fmt::format("{}.{}", text, t.start) : text;
}

// A folder's number stays when it is renamed, so that a token never passes to another folder that
// got its name.
result<mailbox::state::token> mailbox::state::read_token(std::string_view text,
                                                         std::uint64_t folder) {
  IMA_TRY(now, cache->where());
  if (text == "0") return token{folder, 0, now.place.seq};
  std::array<std::optional<std::uint64_t>, 4> numbers;
  numbers[3] = 0;
  std::string_view rest = text;
  std::size_t count = 0;
  for (bool more = true; more && count < numbers.size(); ++count) {
    const std::size_t dot = rest.find('.');
    numbers[count] = wire::parse_number(rest.substr(0, dot));
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  const bool known = numbers[0] == log->generation() && numbers[1] == folder && numbers[2] &&
                     *numbers[2] <= now.place.seq && numbers[3] && *numbers[3] <= now.place.seq;
  if (!known || count < 3) return caller_error("resync", text, "the state token is not known");
  return token{folder, *numbers[2], *numbers[3]};
}

result<folder_status> mailbox::status(std::string_view folder) {
  state& s = *state_;
  return s.reading([&]() -> result<folder_status> {
    IMA_TRY(found, s.folder(folder));
    IMA_TRY(now, s.cache->where());
    found.holds.token = s.write({found.number, now.place.seq, 0});
    return std::move(found.holds);
  });
}

result<change_page> mailbox::changes(std::string_view folder, std::string_view token,
                                     std::size_t limit) {
  state& s = *state_;
  return s.reading([&]() -> result<change_page> {
    IMA_TRY(found, s.folder(folder));
    IMA_TRY(after, s.read_token(token, found.number));
    IMA_TRY(now, s.cache->where());
    change_page page;
    IMA_TRY(entries,
            s.cache->changes(found.number, after.seq, std::max(after.seq, after.start), limit + 1));
    page.more = entries.size() > limit;
    if (page.more) entries.resize(limit);
    if (!page.more) after = {found.number, now.place.seq, 0};
    if (page.more && limit > 0) after.seq = entries.back().seq;
    page.token = s.write(after);
    page.entries = std::move(entries);
    return page;
  });
}

result<std::optional<entry>> mailbox::state::find(std::string_view name, std::string_view id) {
  return reading([&]() -> result<std::optional<entry>> {
    IMA_TRY(found, cache->find_in(name, id));
    if (!found) IMA_CHECK(folder(name));
    return found;
  });
}

result<std::optional<entry>> mailbox::find(std::string_view folder, std::string_view id) {
  return state_->find(folder, id);
}

result<std::optional<search_hit>> mailbox::locate(std::string_view id) {
  state& s = *state_;
  return s.reading([&] { return s.cache->locate(id); });
}

result<std::optional<entry>> mailbox::find(std::string_view folder, const digest& message) {
  state& s = *state_;
  return s.reading([&]() -> result<std::optional<entry>> {
    IMA_TRY(found, s.folder(folder));
    return s.cache->find_digest(found.number, message.hex());
  });
}

}  // namespace ima::mailbox
