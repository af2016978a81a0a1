#include "mirror/own_changes.hpp"

#include "mirror/notes.hpp"
#include "support/parent_of.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace ima::mirror {
namespace {

constexpr std::string_view end_mark = "\t.";

mailbox::file_system& files() { return mailbox::posix_file_system(); }

std::string in_order(std::vector<std::string> flags) {
  std::ranges::sort(flags);
  return fmt::format("{}", fmt::join(flags, " "));
}

// Whether the local mailbox had the state `then`, or a later one, when it had the state `now`.
bool is_since(std::string_view now, std::string_view then) {
  return generation_of(now) == generation_of(then) && seq_of(now) >= seq_of(then);
}

}  // namespace

result<own_changes> own_changes::open(std::string path, bool to_ask) {
  own_changes opened(std::move(path));
  IMA_TRY(there, files().status(opened.path_));
  if (!there) return opened;
  IMA_TRY(file, files().open_append(opened.path_));
  opened.file_ = std::move(file);
  if (!to_ask) return opened;
  IMA_TRY(text, opened.read());
  for (std::string_view rest = text; !rest.empty();) opened.take(wire::take_up_to(rest, '\n'));
  return opened;
}

result<std::string> own_changes::read() {
  IMA_TRY(size, file_->size());
  std::string text(size, '\0');
  IMA_TRY(got, file_->read_at(0, text));
  text.resize(got);
  return text;
}

// A line that a crash left torn was of a change that did not begin: it has no end of its own, and
// the next begins with one.
void own_changes::take(std::string_view line) {
  if (!line.ends_with(end_mark)) return;
  line.remove_suffix(end_mark.size());
  const auto before = wire::take_up_to(line, '\t');
  const auto id = wire::take_up_to(line, '\t');
  const auto from = wire::take_up_to(line, '\t');
  const auto to = wire::take_up_to(line, '\t');
  auto& states = last_[std::string(id)];
  if (from == to && !states.empty())
    states.erase(states.begin(), states.end() - 1);
  else
    states.clear();
  states.push_back({std::string(to), std::string(line), std::string(before)});
}

result<void> own_changes::will_do(std::span<const change> changes, std::string_view now) {
  std::string lines;
  for (const auto& [id, from, to, flags] : changes)
    lines += fmt::format("\n{}\t{}\t{}\t{}\t{}{}", now, id, from, to, in_order(flags), end_mark);
  if (lines.empty()) return {};
  if (!file_) {
    IMA_TRY(made, files().open_append(path_));
    IMA_CHECK(files().sync_directory(parent_of(path_)));
    file_ = std::move(made);
  }
  IMA_CHECK(file_->append(lines));
  return file_->sync();
}

// A run may have been stopped between a move and the flags that were to follow.
own_changes::share own_changes::did(std::string_view id, std::string_view folder,
                                    std::vector<std::string> flags, std::string_view since) const {
  const auto found = last_.find(id);
  if (found == last_.end()) return share::nothing;
  const state& last = found->second.back();
  if (last.folder != folder || !is_since(last.before, since)) return share::nothing;
  const std::string now = in_order(std::move(flags));
  const auto same = [&](const state& s) { return s.folder == folder && s.flags == now; };
  return std::ranges::any_of(found->second, same) ? share::everything : share::place;
}

result<void> own_changes::forget(const std::function<bool(std::string_view)>& folders) {
  if (!file_) return {};
  IMA_TRY(text, read());  // with what was added
  std::string kept;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = wire::take_up_to(rest, '\n');
    std::string_view words = line;
    wire::take_up_to(words, '\t');  // the state
    wire::take_up_to(words, '\t');  // the id
    const auto from = wire::take_up_to(words, '\t');
    const auto to = wire::take_up_to(words, '\t');
    const bool done = (from.empty() || folders(from)) && (to.empty() || folders(to));
    if (!done && line.ends_with(end_mark)) kept += fmt::format("\n{}", line);
  }
  if (kept.size() == text.size()) return {};
  if (!kept.empty()) return replace(kept);
  file_.reset();
  return files().unlink(path_);
}

result<void> own_changes::replace(octets text) {
  const std::string built = path_ + ".new";
  if (auto gone = files().unlink(built); !gone && gone.error().rule != "file-missing") return gone;
  IMA_TRY(file, files().create(built));
  IMA_CHECK(file->append(text));
  IMA_CHECK(file->sync());
  IMA_CHECK(files().rename(built, path_));
  IMA_CHECK(files().sync_directory(parent_of(path_)));
  IMA_TRY(opened, files().open_append(path_));
  file_ = std::move(opened);
  return {};
}

}  // namespace ima::mirror
