#include "mirror/notes.hpp"

#include "mirror/failures.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/digest.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace ima::mirror {
namespace {

constexpr std::size_t digest_digits = 64;
constexpr char expected = '?';               // before the id of a copy that may not be here yet
constexpr std::size_t longest_note = 65536;  // docs/mailbox.md section 12

using subject = notes::subject;

constexpr std::string_view about(subject what) {
  switch (what) {
    case subject::there:
      return "";
    case subject::known:
      return "known\n";
    case subject::here:
      return "here\n";
    case subject::listed:
      return "listed\n";
    case subject::missed:
      return "missed\n";
    case subject::unlisted:
      return "unlisted\n";
    case subject::paired:
      return "paired\n";
    case subject::swept:
      return "swept\n";
    case subject::emptied:
      return "emptied\n";
  }
  return "";
}

constexpr std::array of_folder{subject::there,  subject::known,  subject::here,
                               subject::listed, subject::missed, subject::unlisted,
                               subject::paired, subject::swept,  subject::emptied};

std::string origins_name(std::string_view id) {
  return digest::of(fmt::format("origins\n{}", id)).hex();
}

}  // namespace

bool is_copy(std::string_view id) noexcept { return id.size() != digest_digits; }

std::string_view generation_of(std::string_view token) noexcept {
  return token.substr(0, token.find('.'));
}

bool same_folder(std::string_view one, std::string_view other) noexcept {
  for (int word = 0; word < 2; ++word)  // the generation, the folder
    if (wire::take_up_to(one, '.') != wire::take_up_to(other, '.')) return false;
  return true;
}

std::uint64_t seq_of(std::string_view token) noexcept {
  wire::take_up_to(token, '.');  // the generation
  wire::take_up_to(token, '.');  // the folder
  return wire::parse_number(wire::take_up_to(token, '.')).value_or(0);
}

// The names of notes are short, and folders' names may not be.
std::string notes::name(std::string_view about, std::string_view what) const {
  return digest::of(fmt::format("{}{}\n{}", about, source_, what)).hex();
}

result<std::string> notes::get(subject what, std::string_view folder) {
  return local_.sync_state(name(about(what), folder));
}

result<std::string> notes::token(subject what, std::string_view folder) {
  IMA_TRY(kept, get(what, folder));
  return retrieval::check_token(kept) ? kept : std::string(retrieval::first_token);
}

result<void> notes::set(subject what, std::string_view folder, octets value) {
  return local_.set_sync_state(name(about(what), folder), value);
}

result<void> notes::renew(subject what, std::string_view folder, octets value) {
  IMA_TRY(was, get(what, folder));
  return was == value ? result<void>() : set(what, folder, value);
}

result<void> notes::copy(std::string_view from, std::string_view to) {
  for (const subject what : of_folder) {
    IMA_TRY(value, get(what, from));
    IMA_CHECK(set(what, to, value));
  }
  return {};
}

result<void> notes::forget(std::string_view folder) {
  for (const subject what : of_folder) IMA_CHECK(set(what, folder, ""));
  return {};
}

// A line for each: id, arrival, flags.
result<notes::messages> notes::get_messages(subject what, std::string_view folder) {
  IMA_TRY(text, get(what, folder));
  messages list;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = wire::take_up_to(rest, '\n');
    retrieval::entry entry;
    entry.id = wire::take_up_to(line, ' ');
    const auto arrived = timestamp::parse(wire::take_up_to(line, ' '));
    if (arrived) entry.arrived = *arrived;
    while (!line.empty()) entry.flags.emplace_back(wire::take_up_to(line, ' '));
    if (retrieval::check_id(entry.id)) list.emplace(entry.id, entry);
  }
  return list;
}

result<void> notes::set_messages(subject what, std::string_view folder, const messages& list) {
  std::string text;
  for (const auto& [id, entry] : list)
    text += fmt::format("{} {} {}\n", id, entry.arrived.text(), fmt::join(entry.flags, " "));
  if (text.size() > longest_note)
    return error{fault::temporary, unavailable, std::string(folder),
                 fmt::format("{} messages cannot be had", list.size())};
  return renew(what, folder, text);
}

result<std::string> notes::local_id(const std::string& remote_id) {
  if (!is_copy(remote_id)) return remote_id;
  IMA_TRY(kept, local_.sync_state(name("", remote_id)));
  if (kept.starts_with(expected)) return came(remote_id, kept);
  return retrieval::check_id(kept) ? kept : std::string();
}

// A run that was stopped may have stored it.
result<std::string> notes::came(const std::string& remote_id, std::string_view note) {
  std::string id(note.substr(1));
  IMA_TRY(here, local_.locate(id));
  if (!here) return std::string();
  IMA_CHECK(pair(remote_id, id));
  return id;
}

result<std::string> notes::remote_id(const std::string& local_id) {
  if (!is_copy(local_id)) return local_id;
  return id_in(name("there\n", local_id));
}

// What is none, as the note is damaged, is as if it were not there: the copy is paired again.
result<std::string> notes::id_in(const std::string& note) {
  IMA_TRY(kept, local_.sync_state(note));
  return retrieval::check_id(kept) ? kept : std::string();
}

result<void> notes::expect(const std::string& remote_id, const std::string& local_id) {
  return local_.set_sync_state(name("", remote_id), expected + local_id);
}

// In this order: where only the first is there, the copy is still expected, and paired again.
result<void> notes::pair(const std::string& remote_id, const std::string& local_id) {
  IMA_CHECK(local_.set_sync_state(name("there\n", local_id), remote_id));
  return local_.set_sync_state(name("", remote_id), local_id);
}

// Where it was stopped before it was through, another copy may have the first note by now.
result<void> notes::unpair(const std::string& local_id) {
  IMA_TRY(there, remote_id(local_id));
  if (!is_copy(local_id) || there.empty()) return {};
  IMA_TRY(kept, local_.sync_state(name("", there)));
  if (kept == local_id) IMA_CHECK(local_.set_sync_state(name("", there), ""));
  return local_.set_sync_state(name("there\n", local_id), "");
}

std::string notes::origin(std::string_view remote_id) const {
  std::string text = source_;
  std::ranges::replace(text, '\n', ' ');
  return fmt::format("{} {}", text, remote_id);
}

result<std::vector<std::string>> notes::origins(std::string_view local_id) {
  IMA_TRY(text, local_.sync_state(origins_name(local_id)));
  std::vector<std::string> all;
  for (std::string_view rest = text; !rest.empty();) all.emplace_back(wire::take_up_to(rest, '\n'));
  return all;
}

result<void> notes::set_origins(std::string_view local_id, const std::vector<std::string>& all) {
  IMA_TRY(were, origins(local_id));
  if (were == all) return {};
  return local_.set_sync_state(origins_name(local_id), fmt::format("{}", fmt::join(all, "\n")));
}

}  // namespace ima::mirror
