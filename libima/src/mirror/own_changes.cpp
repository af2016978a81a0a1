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
constexpr std::string_view any_flags = "?";  // which no flag is

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

struct own_changes::line {
  std::string_view state, id, from, to, flags;

  bool was_sent() const { return state.empty(); }
  // None for one that a crash left torn: what it was of did not begin. It has no end of its own,
  // and the next begins with one.
  static std::optional<line> read(std::string_view text) {
    if (!text.ends_with(end_mark)) return std::nullopt;
    text.remove_suffix(end_mark.size());
    line said;
    for (auto* word : {&said.state, &said.id, &said.from, &said.to})
      *word = wire::take_up_to(text, '\t');
    said.flags = text;
    return said;
  }
};

result<own_changes> own_changes::open(std::string path) {
  own_changes opened(std::move(path));
  IMA_TRY(there, files().status(opened.path_));
  if (!there) return opened;
  IMA_TRY(file, files().open_append(opened.path_));
  opened.file_ = std::move(file);
  IMA_TRY(text, opened.read());
  opened.earlier_ = text.size();
  for (std::string_view rest = text; !rest.empty();)
    if (const auto said = line::read(wire::take_up_to(rest, '\n'))) opened.take(*said, false);
  return opened;
}

result<std::string> own_changes::read() {
  IMA_TRY(size, file_->size());
  std::string text(size, '\0');
  IMA_TRY(got, file_->read_at(0, text));
  text.resize(got);
  return text;
}

void own_changes::take(const line& said, bool now) {
  const place to{std::string(said.to), std::string(said.flags)};
  if (said.was_sent()) {
    sent_.insert_or_assign(std::string(said.id), to);
    return;
  }
  if (const auto sent = sent_.find(said.id); sent != sent_.end()) sent_.erase(sent);
  deed& known = done_[std::string(said.id)];
  const bool follows = !now && said.from == said.to && known.last.folder == said.to;
  known.before = follows ? std::optional(std::move(known.last.flags)) : std::nullopt;
  known.last = to;
  known.state = said.state;
  known.now = now;
}

result<void> own_changes::will_do(std::span<const change> changes, std::string_view now) {
  return add(changes, now);
}

result<void> own_changes::will_send(std::span<const change> changes) { return add(changes, ""); }

result<void> own_changes::add(std::span<const change> changes, std::string_view state) {
  std::string lines;
  for (const auto& [id, from, to, flags] : changes)
    lines += fmt::format("\n{}\t{}\t{}\t{}\t{}{}", state, id, from, to,
                         flags ? in_order(*flags) : any_flags, end_mark);
  if (lines.empty()) return {};
  if (!file_) {
    IMA_TRY(made, files().open_append(path_));
    IMA_CHECK(files().sync_directory(parent_of(path_)));
    file_ = std::move(made);
  }
  IMA_CHECK(file_->append(lines));
  IMA_CHECK(file_->sync());
  for (std::string_view rest = lines; !rest.empty();)
    if (const auto said = line::read(wire::take_up_to(rest, '\n'))) take(*said, true);
  return {};
}

// A run may have been stopped between a move and the flags that were to follow. What was sent since
// was a person's work, and what it is now is again.
own_changes::share own_changes::did(std::string_view id, std::string_view folder,
                                    std::vector<std::string> flags, std::string_view since) const {
  const auto found = done_.find(id);
  if (found == done_.end() || sent_.contains(id)) return share::nothing;
  const deed& done = found->second;
  if (done.last.folder != folder || !is_since(done.state, since)) return share::nothing;
  const std::string now = in_order(std::move(flags));
  const bool same = done.last.flags == now || done.before == now;
  return same ? share::everything : share::place;
}

own_changes::knowledge own_changes::knows(std::string_view id, std::string_view folder,
                                          std::vector<std::string> flags) const {
  const auto is = [&](const place& known) {
    return known.folder == folder && known.flags == in_order(flags);
  };
  if (const auto sent = sent_.find(id); sent != sent_.end())
    return is(sent->second) ? knowledge::certain : knowledge::none;
  const auto done = done_.find(id);
  if (done == done_.end() || !is(done->second.last)) return knowledge::none;
  return done->second.now ? knowledge::certain : knowledge::likely;
}

const std::string* own_changes::place_of(std::string_view id) const {
  if (const auto sent = sent_.find(id); sent != sent_.end()) return &sent->second.folder;
  const auto done = done_.find(id);
  return done == done_.end() || !done->second.now ? nullptr : &done->second.last.folder;
}

bool own_changes::is_last(const line& said) const {
  const auto is = [&](const place& known) {
    return known.folder == said.to && known.flags == said.flags;
  };
  if (said.was_sent()) {
    const auto sent = sent_.find(said.id);
    return sent != sent_.end() && is(sent->second);
  }
  const auto done = done_.find(said.id);
  return done != done_.end() && is(done->second.last) && done->second.state == said.state;
}

// Those of the lines, with what was added.
result<std::string> own_changes::needed(
    const std::function<bool(const line&, bool earlier)>& is_needed) {
  IMA_TRY(text, read());
  std::string kept;
  for (std::string_view rest = text; !rest.empty();) {
    const bool earlier = text.size() - rest.size() < earlier_;
    const std::string_view next = wire::take_up_to(rest, '\n');
    const auto said = line::read(next);
    if (said && is_needed(*said, earlier)) kept += fmt::format("\n{}", next);
  }
  return kept;
}

result<void> own_changes::forget(const std::function<bool(std::string_view)>& folders) {
  if (!file_) return {};
  const auto is_through = [&](std::string_view folder) {
    return folder.empty() || folders(folder);
  };
  IMA_TRY(kept, needed([&](const line& said, bool earlier) {
            if (said.was_sent()) return is_last(said) && !(earlier && folders(said.to));
            return !is_through(said.from) || !is_through(said.to);
          }));
  if (!kept.empty()) return replace(kept);
  file_.reset();
  return files().unlink(path_);
}

result<void> own_changes::shorten() {
  if (!file_) return {};
  IMA_TRY(kept, needed([&](const line& said, bool) { return is_last(said); }));
  IMA_TRY(size, file_->size());
  return kept.size() <= size / 2 ? replace(kept) : result<void>();
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
