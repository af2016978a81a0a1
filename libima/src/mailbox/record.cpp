#include "mailbox/record.hpp"

#include "support/try.hpp"
#include "support/utf8.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace ima::mailbox {

namespace {

constexpr std::string_view first_line = "ima-record: 1\n";
constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_flag = 32;

bool is_flag(std::string_view flag) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  return !flag.empty() && flag.size() <= longest_flag && flag.front() >= 'a' &&
         flag.front() <= 'z' && flag.find_first_not_of(allowed) == std::string_view::npos;
}

error damaged(std::string_view text) {
  return {fault::temporary, "message-damaged", "record", std::string(text)};
}

result<void> add_line(std::string& out, std::string_view name, std::string_view value) {
  if (utf8::find_forbidden(value) != std::string_view::npos)
    return error{fault::caller, "record-text", std::string(name), "not UTF-8 without controls"};
  if (!value.empty()) out += fmt::format("{}: {}\n", name, value);
  return {};
}

result<void> take_value(record& note, std::string_view name, std::string_view value) {
  if (name == "verified-domain") note.verified_domain = value;
  if (name == "peer") note.peer = value;
  if (name == "tls") note.tls = value;
  if (name == "certificate") note.certificate = value;
  if (name == "recipient") note.recipient = value;
  if (name == "folder") note.folder = value;
  if (name == "flags") note.flags = split_flags(value);
  if (name == "origin") note.origin = value;
  if (name == "received") {
    const auto when = timestamp::parse(value);
    if (!when) return damaged("received: is not a time");
    note.received = *when;
  }
  return {};
}

result<void> take_line(record& note, octets line) {
  if (utf8::find_forbidden(line) != octets::npos) return damaged("not UTF-8 without controls");
  const std::size_t colon = line.find(": ");
  if (colon == octets::npos) return damaged("a line without a colon");
  return take_value(note, line.substr(0, colon), line.substr(colon + 2));
}

}  // namespace

result<void> check_folder_name(std::string_view name) {
  const error bad{fault::caller, "folder-name", "", "not a folder's name"};
  if (name.empty() || name.size() > longest_name) return bad;
  if (utf8::find_forbidden(name) != std::string_view::npos) return bad;
  while (true) {
    const std::string_view component = name.substr(0, name.find('/'));
    if (component.empty() || component == "." || component == "..") return bad;
    if (component.size() == name.size()) return {};
    name.remove_prefix(component.size() + 1);
  }
}

result<void> check_flag(std::string_view flag) {
  if (is_flag(flag)) return {};
  return error{fault::caller, "flag", "", "not a flag"};
}

result<void> check_flags(const std::vector<std::string>& flags) {
  if (flags.size() > most_flags) return error{fault::caller, "flag", "", "too many flags"};
  for (const auto& flag : flags) IMA_CHECK(check_flag(flag));
  return {};
}

std::string join_flags(std::vector<std::string> flags) {
  std::ranges::sort(flags);
  flags.erase(std::unique(flags.begin(), flags.end()), flags.end());
  return flags.empty() ? "-" : fmt::format("{}", fmt::join(flags, ","));
}

std::vector<std::string> split_flags(std::string_view word) {
  std::vector<std::string> flags;
  if (word == "-") return flags;
  while (!word.empty()) {
    const auto flag = word.substr(0, word.find(','));
    if (is_flag(flag)) flags.emplace_back(flag);  // docs/mailbox.md section 5
    word.remove_prefix(std::min(word.size(), flag.size() + 1));
  }
  return flags;
}

result<std::string> write_record(const record& note) {
  IMA_CHECK(check_folder_name(note.folder));
  IMA_CHECK(check_flags(note.flags));
  std::string out(first_line);
  IMA_CHECK(add_line(out, "received", note.received.text()));
  IMA_CHECK(add_line(out, "recipient", note.recipient));
  IMA_CHECK(add_line(out, "verified-domain", note.verified_domain));
  IMA_CHECK(add_line(out, "peer", note.peer));
  IMA_CHECK(add_line(out, "tls", note.tls));
  IMA_CHECK(add_line(out, "certificate", note.certificate));
  if (note.folder != "inbox") IMA_CHECK(add_line(out, "folder", note.folder));
  if (!note.flags.empty()) IMA_CHECK(add_line(out, "flags", join_flags(note.flags)));
  IMA_CHECK(add_line(out, "origin", note.origin));
  out += '\n';
  if (out.size() > record_limit)
    return error{fault::caller, "record-text", "", "the record is too long"};
  return out;
}

result<record> read_record(octets text) {
  if (!text.starts_with(first_line) || !text.ends_with("\n\n")) return damaged("no record");
  if (text.size() > record_limit) return damaged("it is too long");
  if (record_value(text, "received").empty()) return damaged("received: is missing");
  record note;
  octets lines = text.substr(first_line.size(), text.size() - 1 - first_line.size());
  while (!lines.empty()) {
    const octets line = lines.substr(0, lines.find('\n'));
    IMA_CHECK(take_line(note, line));
    lines.remove_prefix(line.size() + 1);
  }
  return note;
}

std::string_view record_value(octets record, std::string_view name) {
  while (!record.empty()) {
    const octets line = record.substr(0, record.find('\n'));
    record.remove_prefix(std::min(record.size(), line.size() + 1));
    if (line.starts_with(name) && line.substr(name.size()).starts_with(": "))
      return line.substr(name.size() + 2);
  }
  return {};
}

}  // namespace ima::mailbox
