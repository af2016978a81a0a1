#include "translate/mbox_notes.hpp"

#include "translate/mime_words.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace ima::translate {
namespace {

constexpr std::uint32_t expunged = 0x8;
constexpr std::pair<std::uint32_t, const char*> mozilla_bits[] = {
    {0x1, "seen"}, {0x2, "answered"}, {0x4, "flagged"}, {0x1000, "forwarded"}};

bool is_of_thunderbird(std::string_view name) {
  return name.starts_with("x-mozilla-") || name == "x-account-key" || name == "x-uidl";
}

}  // namespace

// What a sender wrote into his mail stands behind fields that no program puts before its own, and
// deletes nothing.
void mbox_notes::read(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  at_front_ = at_front_ && is_of_thunderbird(name);
  if (name == "status" || name == "x-status") read_letters(name, value);
  if (name == "x-mozilla-status" && at_front_) read_mozilla(value);
  if (name == "subject")
    internal_subject_ = value == "DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA";
  if (name == "x-imap" || name == "x-imapbase") internal_field_ = true;
}

void mbox_notes::read_letters(std::string_view name, std::string_view value) {
  constexpr std::pair<char, const char*> letters[] = {
      {'R', "seen"}, {'A', "answered"}, {'F', "flagged"}, {'T', "draft"}, {'D', "deleted"}};
  for (const auto& [letter, flag] : letters)
    if (value.find(letter) != std::string_view::npos && (name == "status") == (letter == 'R'))
      add(flag);
}

void mbox_notes::read_mozilla(std::string_view value) {
  std::uint32_t bits = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), bits, 16);
  if (failed != std::errc() || end != value.data() + value.size()) return;
  for (const auto& [bit, flag] : mozilla_bits)
    if ((bits & bit) != 0) add(flag);
  expunged_ = (bits & expunged) != 0;
}

void mbox_notes::add(const char* flag) {
  if (std::find(flags_.begin(), flags_.end(), flag) == flags_.end()) flags_.emplace_back(flag);
}

std::string_view mbox_notes::gone(bool first) const noexcept {
  if (expunged_) return "was deleted in Thunderbird, and is left out";
  if (first && internal_subject_ && internal_field_)
    return "holds what a program keeps of the folder";
  return {};
}

}  // namespace ima::translate
