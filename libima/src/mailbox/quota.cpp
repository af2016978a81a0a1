#include "mailbox/store.hpp"
#include "wire/words.hpp"

#include <ima/mailbox/quota.hpp>

#include <fmt/format.h>

// Limits and what counts against them (docs/mailbox.md section 8).

namespace ima::mailbox {

namespace {

error damaged(const layout::tree& tree) {
  return {fault::temporary, "quota-damaged", tree.quota(), "not a quota of version 1"};
}

// `name number` LF, and nothing else.
std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (wire::take_word(line) != name) return std::nullopt;
  return wire::parse_number(line);
}

result<quota_limits> read_limits(file_system& files, const layout::tree& tree) {
  IMA_TRY(text, read_small(files, tree.quota()));
  if (!text) return quota_limits{};
  std::string_view rest = *text;
  const auto version = take_number(rest, "ima-quota");
  const auto octets = take_number(rest, "octets");
  const auto messages = take_number(rest, "messages");
  if (version != 1 || !octets || !messages || !rest.empty()) return damaged(tree);
  return quota_limits{*octets, *messages};
}

bool fits(const quota_limits& limits, std::uint64_t messages, std::uint64_t octets) {
  return (limits.messages == 0 || messages <= limits.messages) &&
         (limits.octets == 0 || octets <= limits.octets);
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

// Octets of a message that waits in new/, by its files; the record counts here, for the sake of a
// look at no file's content.
result<std::uint64_t> size_of(file_system& files, const std::string& path) {
  IMA_TRY(status, files.status(path));
  if (!status) return std::uint64_t{0};
  if (!status->directory) return status->size;
  std::uint64_t octets = 0;
  auto listed = files.list(path, [&](const std::string& name) -> result<void> {
    IMA_TRY(each, files.status(path + "/" + name));
    if (each) octets = sum(octets, each->size);
    return {};
  });
  if (!listed && listed.error().rule != "file-missing") return listed.error();
  return octets;
}

// Adds what waits in new/, and ends as soon as it is too much.
class waiting_mail {
 public:
  waiting_mail(file_system& files, const layout::tree& tree, const quota_limits& limits)
      : files_(files), tree_(tree), limits_(limits) {}

  result<bool> fits_after(commit_record held, std::uint64_t more) {
    held_ = held;
    ++held_.messages;
    held_.octets = sum(held_.octets, more);
    if (!fits(limits_, held_.messages, held_.octets)) return false;
    auto listed =
        files_.list(tree_.incoming(), [this](const std::string& name) { return add(name); });
    if (full_) return false;
    if (!listed) return listed.error();
    return true;
  }

 private:
  result<void> add(const std::string& name) {
    if (!layout::id_in(name)) return {};
    IMA_TRY(octets, size_of(files_, tree_.incoming() + "/" + name));
    ++held_.messages;
    held_.octets = sum(held_.octets, octets);
    full_ = !fits(limits_, held_.messages, held_.octets);
    if (full_) return error{fault::temporary, "quota", "", "full"};  // ends the listing
    return {};
  }

  file_system& files_;
  const layout::tree& tree_;
  quota_limits limits_;
  commit_record held_;
  bool full_ = false;
};

}  // namespace

result<bool> room_for(file_system& files, const std::string& path, std::uint64_t octets) {
  const layout::tree tree{path};
  IMA_TRY(limits, read_limits(files, tree));
  if (limits == quota_limits{}) return true;
  IMA_TRY(held, last_commit(files, tree.journal()));
  return waiting_mail(files, tree, limits).fits_after(held, octets);
}

result<quota_status> mailbox::quota() {
  state& s = *state_;
  IMA_TRY(limits, read_limits(s.files, s.tree));
  return s.reading([&]() -> result<quota_status> {
    IMA_TRY(now, s.cache->where());
    return quota_status{limits, now.place.holds.octets, now.place.holds.messages};
  });
}

result<void> mailbox::set_quota(const quota_limits& limits) {
  state& s = *state_;
  const std::string text =
      fmt::format("ima-quota 1\noctets {}\nmessages {}\n", limits.octets, limits.messages);
  return replace_small(s.files, s.tree, text, s.tree.quota(), s.tree.root);
}

result<void> mailbox::state::check_room(std::uint64_t messages, std::uint64_t octets) {
  IMA_TRY(limits, read_limits(files, tree));
  IMA_TRY(now, cache->where());
  const commit_record& held = now.place.holds;
  if (fits(limits, sum(held.messages, messages), sum(held.octets, octets))) return {};
  return error{fault::refused, "quota", "", "the mailbox is full"};
}

}  // namespace ima::mailbox
