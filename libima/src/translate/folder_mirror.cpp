#include "translate/folder_mirror.hpp"

#include "support/try.hpp"
#include "translate/maildir_names.hpp"
#include "translate/stored_body.hpp"
#include "translate/watched_source.hpp"

#include <ima/translate/message_to_mime.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace ima::translate {
namespace {

constexpr std::size_t page = 500;

// The flags that a file's name can say.
flag_list with_letters(const std::vector<std::string>& flags) {
  flag_list out;
  std::copy_if(flags.begin(), flags.end(), std::back_inserter(out), has_letter);
  std::sort(out.begin(), out.end());
  return out;
}

bool is_in(const std::string& flag, const flag_list& flags) {
  return std::binary_search(flags.begin(), flags.end(), flag);
}

// What a reader certainly changed in a file that may have had any of these flags.
mailbox::flag_change change_between(const std::vector<flag_list>& before, const flag_list& now) {
  mailbox::flag_change change;
  const auto had = [&](const std::string& flag) {
    return [&flag](const flag_list& flags) { return is_in(flag, flags); };
  };
  for (const std::string& flag : now)
    if (std::none_of(before.begin(), before.end(), had(flag))) change.add.push_back(flag);
  for (const std::string& flag : before.front())
    if (!is_in(flag, now) && std::all_of(before.begin(), before.end(), had(flag)))
      change.remove.push_back(flag);
  return change;
}

}  // namespace

result<void> folder_mirror::update() {
  IMA_CHECK(files_.make_directories());
  IMA_CHECK(files_.remove_drafts());
  IMA_CHECK(list());
  IMA_CHECK(take_flags());
  IMA_CHECK(follow());
  IMA_CHECK(write_lost());
  IMA_CHECK(remove_strays());
  return files_.sync();
}

// A listing may miss what its reader renames meanwhile.
result<void> folder_mirror::list() {
  IMA_CHECK(files_.list());
  const bool missed = std::any_of(state_.flags.begin(), state_.flags.end(), [&](const auto& had) {
    return files_.find(had.first) == nullptr;
  });
  return missed ? files_.list() : result<void>();
}

// What was changed in the Maildir since the last update.
result<void> folder_mirror::take_flags() {
  for (const auto& [id, file] : files_.all()) IMA_CHECK(take_flags(id, flags_of(file.name)));
  state_.planned.clear();
  return {};
}

result<void> folder_mirror::take_flags(const std::string& id, const flag_list& now) {
  std::vector<flag_list> before;
  if (const auto planned = state_.planned.find(id); planned != state_.planned.end())
    before = planned->second;
  if (const auto had = state_.flags.find(id); had != state_.flags.end())
    before.push_back(had->second);
  if (before.empty()) return {};
  state_.flags[id] = now;
  if (std::find(before.begin(), before.end(), now) != before.end()) return {};
  // A name that a power cut takes back would look like the opposite change.
  if (!std::exchange(names_synced_, true)) IMA_CHECK(files_.sync());
  IMA_CHECK(work_.box.set_flags(folder_, std::span(&id, 1), change_between(before, now)));
  ++work_.changes.flags_in;
  return work_.state.settle(folder_, {id, now});
}

result<mailbox::change_page> folder_mirror::next_page() {
  auto got = work_.box.changes(folder_, token_, page);
  if (got || got.error().rule != "resync") return got;
  // The mailbox does not know what became of our files: all that it does not name goes.
  token_ = "0";
  from_start_ = true;
  return work_.box.changes(folder_, token_, page);
}

result<void> folder_mirror::follow() {
  token_ = state_.token;
  from_start_ = token_ == "0";
  for (bool more = true; more;) {
    IMA_TRY(got, next_page());
    IMA_CHECK(plan(got.entries));
    for (const mailbox::entry& entry : got.entries) IMA_CHECK(apply(entry));
    token_ = std::move(got.token);
    if (!behind_) state_.token = token_;
    more = got.more;
  }
  return {};
}

// Before files get flags it is on disk which: whoever ends this update, the next one does not take
// them for its reader's.
result<void> folder_mirror::plan(const std::vector<mailbox::entry>& entries) {
  std::vector<flagged_file> wanted;
  for (const mailbox::entry& entry : entries) {
    if (entry.gone) continue;
    flagged_file file{entry.id, with_letters(entry.flags)};
    const mirrored_file* const there = files_.find(entry.id);
    if (there == nullptr || flags_of(there->name) != file.flags) wanted.push_back(std::move(file));
  }
  return work_.state.plan(folder_, wanted);
}

result<void> folder_mirror::apply(const mailbox::entry& entry) {
  if (entry.gone) return remove(entry.id);
  mirrored_file* const file = files_.find(entry.id);
  if (file == nullptr) return write(entry);
  file->confirmed = true;
  return give_flags(*file, {entry.id, with_letters(entry.flags)});
}

// A file that its reader renamed meanwhile is left to him until the next update.
result<void> folder_mirror::give_flags(mirrored_file& file, const flagged_file& wanted) {
  const flag_list had = flags_of(file.name);
  if (had != wanted.flags) {
    IMA_TRY(given, files_.give_flags(file, wanted.flags));
    if (!given) {
      behind_ = true;
      state_.flags.try_emplace(wanted.id, had);
      return {};
    }
    ++work_.changes.flags_out;
  }
  state_.flags[wanted.id] = wanted.flags;
  return {};
}

// A message that cannot be read is reported; the next update tries it again.
result<void> folder_mirror::write(const mailbox::entry& entry) {
  transferred outcome{folder_ + " " + entry.id, {}, false, std::nullopt};
  const auto stored = work_.box.header(folder_, entry.id);
  if (stored && !*stored) return {};  // it has left; the next page says so
  if (stored)
    IMA_CHECK(write_file(entry, (*stored)->header, outcome));
  else
    outcome.problem = stored.error();
  state_.flags[entry.id] = with_letters(entry.flags);
  if (outcome.problem) {
    ++work_.changes.left_out;
    unreadable_.insert(entry.id);
  }
  return work_.report(outcome);
}

result<void> folder_mirror::write_file(const mailbox::entry& entry, const header_block& header,
                                       transferred& outcome) {
  watched_source body(std::make_unique<stored_body>(work_.box, folder_, entry.id, header));
  auto mail = message_to_mime::translate(header, body, work_.bounds);
  if (!mail) {
    outcome.problem = mail.error();
    return {};
  }
  outcome.remarks.assign(mail->remarks().begin(), mail->remarks().end());
  auto written = files_.write({entry.id, with_letters(entry.flags)}, entry.arrived, *mail);
  if (written) ++work_.changes.written;
  if (written || !body.failed()) return written;
  outcome.problem = written.error();
  return {};
}

result<void> folder_mirror::remove(const std::string& id) {
  state_.flags.erase(id);
  IMA_TRY(removed, files_.remove(id));
  if (removed) ++work_.changes.removed;
  return {};
}

// A file that somebody deleted comes back, as deletions go one way only; and so does what an
// earlier update could not read.
result<void> folder_mirror::write_lost() {
  std::vector<std::string> lost;
  for (const auto& [id, flags] : state_.flags)
    if (files_.find(id) == nullptr && !unreadable_.contains(id)) lost.push_back(id);
  std::vector<mailbox::entry> entries;
  for (const std::string& id : lost) {
    IMA_TRY(entry, work_.box.find(folder_, id));
    if (entry)
      entries.push_back(std::move(*entry));
    else
      state_.flags.erase(id);
  }
  IMA_CHECK(plan(entries));
  for (const mailbox::entry& entry : entries) IMA_CHECK(write(entry));
  return {};
}

// What an update that did not come to its end, or a reader, left where it does not belong.
result<void> folder_mirror::remove_strays() {
  std::vector<std::string> strays;
  for (const auto& [id, file] : files_.all())
    if (!state_.flags.contains(id) || (from_start_ && !file.confirmed)) strays.push_back(id);
  std::vector<mailbox::entry> entries;
  for (const std::string& id : strays) {
    IMA_TRY(entry, work_.box.find(folder_, id));
    if (entry)
      entries.push_back(std::move(*entry));
    else
      IMA_CHECK(remove(id));
  }
  IMA_CHECK(plan(entries));
  for (const mailbox::entry& entry : entries) IMA_CHECK(apply(entry));
  return {};
}

result<void> remove_mirror(mirror_work& work, const std::string& directory) {
  mirror_files files(work.disk, directory, false);
  IMA_CHECK(files.remove_drafts());
  IMA_CHECK(files.list());
  std::vector<std::string> ids;
  for (const auto& [id, file] : files.all()) ids.push_back(id);
  for (const std::string& id : ids) {
    IMA_TRY(removed, files.remove(id));
    if (removed) ++work.changes.removed;
  }
  return files.remove_directories();
}

}  // namespace ima::translate
