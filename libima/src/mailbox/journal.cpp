#include "mailbox/journal.hpp"

#include "mailbox/layout.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <array>

namespace ima::mailbox {

namespace {

constexpr std::string_view magic = "ima-journal 1 ";
constexpr std::size_t checksum_digits = 8;
constexpr std::size_t read_together = 64 * 1024;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
    table[i] = value;
  }
  return table;
}

struct writer {
  std::string operator()(const message_record& m) const {
    return fmt::format("m {} {} {} {} {}", m.id, m.folder, m.size, m.arrived, m.flags);
  }
  std::string operator()(const removal_record& d) const { return fmt::format("d {}", d.id); }
  std::string operator()(const folder_record& f) const {
    return fmt::format("f {} {} {}", f.number, f.role.empty() ? "-" : f.role, f.name);
  }
  std::string operator()(const folder_removal_record& x) const {
    return fmt::format("x {}", x.number);
  }
};

std::optional<journal_record> parse_message(std::string_view line) {
  message_record m;
  m.id = wire::take_word(line);
  const auto folder = wire::parse_number(wire::take_word(line));
  const auto size = wire::parse_number(wire::take_word(line));
  const auto arrived = wire::parse_number(wire::take_word(line));
  if (!layout::is_id(m.id) || !folder || !size || !arrived || line.empty()) return std::nullopt;
  m.folder = *folder;
  m.size = *size;
  m.arrived = static_cast<std::int64_t>(*arrived);
  m.flags = line;
  return m;
}

std::optional<journal_record> parse_folder(std::string_view line) {
  folder_record f;
  const auto number = wire::parse_number(wire::take_word(line));
  const std::string_view role = wire::take_word(line);
  if (!number || role.empty() || line.empty()) return std::nullopt;
  f.number = *number;
  if (role != "-") f.role = role;
  f.name = line;
  return f;
}

std::optional<journal_record> parse_record(std::string_view word, std::string_view line) {
  if (word == "m") return parse_message(line);
  if (word == "f") return parse_folder(line);
  if (word == "d" && layout::is_id(line)) return removal_record{std::string(line)};
  if (word == "x")
    if (const auto number = wire::parse_number(line)) return folder_removal_record{*number};
  return std::nullopt;
}

error damaged(std::uint64_t offset) {
  return {fault::temporary, "journal-damaged", fmt::format("journal octet {}", offset),
          "a record is damaged, and whole ones follow it"};
}

}  // namespace

std::uint32_t crc32(octets text) noexcept {
  static constexpr auto table = make_table();
  std::uint32_t sum = 0xffffffffU;
  for (const char c : text) sum = table[(sum ^ static_cast<unsigned char>(c)) & 0xff] ^ (sum >> 8);
  return ~sum;
}

std::string journal_line(std::uint64_t seq, const journal_record& what) {
  const std::string body = fmt::format("{} {}", seq, std::visit(writer{}, what));
  return fmt::format("{:08x} {}\n", crc32(body), body);
}

std::optional<journal_entry> parse_journal_line(std::string_view line) {
  if (line.size() <= checksum_digits) return std::nullopt;
  const std::string_view body = line.substr(checksum_digits + 1);
  if (line.substr(0, checksum_digits + 1) != fmt::format("{:08x} ", crc32(body)))
    return std::nullopt;
  std::string_view rest = body;
  const auto seq = wire::parse_number(wire::take_word(rest));
  const auto word = wire::take_word(rest);
  auto what = parse_record(word, rest);
  if (!seq || !what) return std::nullopt;
  return journal_entry{*seq, std::move(*what)};
}

result<void> journal::create(file_system& files, const std::string& path,
                             std::uint64_t generation) {
  IMA_TRY(made, files.create(path));
  IMA_CHECK(made->append(fmt::format("{}{}\n", magic, generation)));
  return made->sync();
}

result<journal> journal::open(file_system& files, const std::string& path) {
  // Opened for appending only where it is: a journal that went missing must not come back empty.
  IMA_TRY(status, files.status(path));
  if (!status) return error{fault::temporary, "journal-damaged", path, "there is no journal"};
  journal opened;
  IMA_TRY(file, files.open_append(path));
  opened.file_ = std::move(file);
  std::array<char, 64> buffer{};
  IMA_TRY(count, opened.file_->read_at(0, buffer));
  const octets front(buffer.data(), count);
  const octets line = front.substr(0, front.find('\n'));
  const auto generation =
      line.starts_with(magic) ? wire::parse_number(line.substr(magic.size())) : std::nullopt;
  if (!generation || line.size() == front.size())
    return error{fault::temporary, "journal-damaged", path, "not a journal"};
  opened.generation_ = *generation;
  opened.first_ = line.size() + 1;
  return opened;
}

result<std::uint64_t> journal::read(std::uint64_t offset, const visitor& visit) const {
  std::string buffer;
  std::uint64_t at = offset;    // of the buffer's front
  std::uint64_t good = offset;  // behind the last whole record
  while (true) {
    const std::size_t kept = buffer.size();
    buffer.resize(kept + read_together);
    IMA_TRY(count, file_->read_at(at + kept, std::span(buffer).subspan(kept)));
    buffer.resize(kept + count);
    std::size_t front = 0;
    for (std::size_t lf = buffer.find('\n'); lf != std::string::npos;
         lf = buffer.find('\n', front)) {
      const auto found = parse_journal_line(octets(buffer).substr(front, lf - front));
      if (found && at + front != good) return damaged(good);
      front = lf + 1;
      if (!found) continue;
      IMA_CHECK(visit(*found));
      good = at + front;
    }
    buffer.erase(0, front);
    at += front;
    if (count == 0) return good;
  }
}

result<void> journal::append(octets lines) {
  IMA_CHECK(file_->append(lines));
  return file_->sync();
}

result<void> journal::cut(std::uint64_t size) {
  IMA_CHECK(file_->truncate(size));
  return file_->sync();
}

}  // namespace ima::mailbox
