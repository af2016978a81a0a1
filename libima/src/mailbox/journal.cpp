#include "mailbox/journal.hpp"

#include "mailbox/layout.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

namespace ima::mailbox {

namespace {

constexpr std::string_view magic = "ima-journal 1 ";
constexpr std::size_t checksum_digits = 8;
constexpr std::size_t read_together = 64 * 1024;
constexpr std::size_t longest_commit = 128;
constexpr std::size_t longest_line = 16 * 1024;
constexpr std::uint64_t longest_append = 512 * longest_line;

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
  std::string operator()(const commit_record& c) const {
    return fmt::format("c {} {} {}", c.lines, c.messages, c.octets);
  }
};

constexpr auto latest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::optional<journal_record> parse_message(std::string_view line) {
  message_record m;
  m.id = wire::take_word(line);
  const auto folder = wire::parse_number(wire::take_word(line));
  const auto size = wire::parse_number(wire::take_word(line));
  const auto arrived = wire::parse_number(wire::take_word(line));
  if (!layout::is_id(m.id) || !folder || !size || !arrived || *arrived > latest || line.empty())
    return std::nullopt;
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

std::optional<journal_record> parse_commit(std::string_view line) {
  const auto lines = wire::parse_number(wire::take_word(line));
  const auto messages = wire::parse_number(wire::take_word(line));
  const auto octets = wire::parse_number(line);
  if (!lines || !messages || !octets) return std::nullopt;
  return commit_record{*lines, *messages, *octets};
}

std::optional<journal_record> parse_record(std::string_view word, std::string_view line) {
  if (word == "m") return parse_message(line);
  if (word == "f") return parse_folder(line);
  if (word == "c") return parse_commit(line);
  if (word == "d" && layout::is_id(line)) return removal_record{std::string(line)};
  if (word == "x")
    if (const auto number = wire::parse_number(line)) return folder_removal_record{*number};
  return std::nullopt;
}

// The last line of a text that ends with one.
std::optional<journal_entry> last_line(octets text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  return parse_journal_line(text.substr(text.find_last_of('\n') + 1));
}

// The commit nearest to the end of `text`.
std::optional<commit_record> find_commit(octets text) {
  while (!text.empty()) {
    text = text.substr(0, text.find_last_of('\n') + 1);
    const auto found = last_line(text);
    const auto* commit = found ? std::get_if<commit_record>(&found->what) : nullptr;
    if (commit != nullptr) return *commit;
    text = text.substr(0, text.size() - std::min<std::size_t>(text.size(), 1));
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t crc32(octets text) noexcept {
  static constexpr auto table = make_table();
  std::uint32_t sum = 0xffffffffU;
  for (const char c : text) sum = table[(sum ^ static_cast<unsigned char>(c)) & 0xff] ^ (sum >> 8);
  return ~sum;
}

error journal_damaged(std::uint64_t offset) {
  return {fault::temporary, "journal-damaged", fmt::format("octet {}", offset),
          "the journal is damaged there"};
}

std::string journal_front(std::uint64_t generation) {
  return fmt::format("{}{}\n", magic, generation);
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
  return journal_entry{*seq, std::move(*what), crc32(body)};
}

result<void> journal::create(file_system& files, const std::string& path,
                             std::uint64_t generation) {
  IMA_TRY(made, files.create(path));
  IMA_CHECK(made->append(journal_front(generation)));
  return made->sync();
}

result<journal> journal::open(file_system& files, const std::string& path) {
  // Opened for appending only where it is: a journal that went missing must not come back empty.
  IMA_TRY(status, files.status(path));
  if (!status) return error{fault::temporary, "journal-damaged", path, "there is no journal"};
  journal opened;
  IMA_TRY(file, layout::open_or_read(files, path));
  opened.file_ = std::move(file.opened);
  opened.read_only_ = file.read_only;
  IMA_TRY(identity, opened.file_->identity());
  opened.identity_ = identity;
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

result<bool> journal::continues(const journal_place& place) const {
  if (place.offset == first_) return place.seq == 0;
  std::array<char, longest_commit> buffer{};
  const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), place.offset);
  IMA_TRY(count, file_->read_at(place.offset - wanted, std::span(buffer).first(wanted)));
  const auto last = last_line(octets(buffer.data(), count));
  return last && last->seq == place.seq && last->checksum == place.checksum;
}

namespace {

// Cuts octets into lines, however they come, and holds no more than one line of legal length.
class line_cutter {
 public:
  explicit line_cutter(std::uint64_t offset) : front_(offset) {}
  /// Where the next octets come from.
  std::uint64_t wanted() const noexcept { return front_ + buffer_.size(); }
  void feed(octets more) {
    buffer_.erase(0, taken_);
    taken_ = 0;
    buffer_ += more;
  }
  struct line {
    std::uint64_t offset;  // behind its LF
    octets text;
    bool overlong;  // longer than a line can be; then `text` is not all of it
  };
  std::optional<line> next() {
    const std::size_t lf = buffer_.find('\n', taken_);
    if (lf == std::string::npos) {
      keep_the_rest();
      return std::nullopt;
    }
    const octets text = octets(buffer_).substr(taken_, lf - taken_);
    front_ += text.size() + 1;
    taken_ = lf + 1;
    return line{front_, text, std::exchange(overlong_, false)};
  }

 private:
  void keep_the_rest() {
    buffer_.erase(0, taken_);
    taken_ = 0;
    if (buffer_.size() <= longest_line) return;
    overlong_ = true;
    front_ += buffer_.size();
    buffer_.clear();
  }

  std::string buffer_;
  std::size_t taken_ = 0;
  std::uint64_t front_;  // of what is not taken
  bool overlong_ = false;
};

// Gathers lines to appends, and tells a torn tail from damage (docs/mailbox.md section 5).
class append_reader {
 public:
  append_reader(const journal_place& from, const journal::visitor& visit)
      : good_(from), visit_(visit) {}

  const journal_place& good() const noexcept { return good_; }

  result<void> take(const line_cutter::line& line) {
    auto found = line.overlong ? std::nullopt : parse_journal_line(line.text);
    hole_ = hole_ || (!found && has_hole(line));
    if (bad_ || !found) return take_damaged(found);
    if (found->seq != good_.seq + waiting_.size() + 1) return journal_damaged(line.offset);
    waiting_.push_back(std::move(*found));
    return end_of_append(line.offset);
  }

 private:
  // What a write that was cut short leaves where pages of it never reached the disk.
  static bool has_hole(const line_cutter::line& line) {
    return line.overlong || line.text.find('\0') != octets::npos;
  }

  // What was not acknowledged may be written in parts, in any order, but is the last append. A line
  // behind its commit, or a commit of lines that do not begin here, tells of a later one. And an
  // append with its commit and no hole was written whole, and is not what it was.
  result<void> take_damaged(const std::optional<journal_entry>& found) {
    if (ended_ && found) return journal_damaged(good_.offset);
    bad_ = true;
    const auto* commit = found ? std::get_if<commit_record>(&found->what) : nullptr;
    if (commit == nullptr) return {};
    ended_ = true;
    const bool last = found->seq - commit->lines == good_.seq + 1;
    return last && hole_ ? result<void>() : journal_damaged(good_.offset);
  }

  result<void> end_of_append(std::uint64_t offset) {
    const auto* commit = std::get_if<commit_record>(&waiting_.back().what);
    if (commit == nullptr) return {};
    if (commit->lines + 1 != waiting_.size()) return journal_damaged(offset);
    for (const auto& e : waiting_) IMA_CHECK(visit_(e));
    good_ = {offset, waiting_.back().seq, waiting_.back().checksum, *commit};
    waiting_.clear();
    return {};
  }

  journal_place good_;
  const journal::visitor& visit_;
  std::vector<journal_entry> waiting_;
  bool bad_ = false;    // a line of this append did not check
  bool hole_ = false;   // there are NULs in one of its lines
  bool ended_ = false;  // and the append's last line was seen
};

}  // namespace

result<journal_place> journal::read(const journal_place& from, const visitor& visit,
                                    std::uint64_t end) const {
  line_cutter lines(from.offset);
  append_reader reader(from, visit);
  std::string buffer(read_together, '\0');
  while (true) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), end - lines.wanted());
    IMA_TRY(count, file_->read_at(lines.wanted(), std::span(buffer).first(wanted)));
    if (count == 0) return reader.good();
    lines.feed(octets(buffer).substr(0, count));
    while (const auto line = lines.next()) IMA_CHECK(reader.take(*line));
  }
}

result<void> journal::verify(const journal_place& until) const {
  const visitor nothing = [](const journal_entry&) -> result<void> { return {}; };
  IMA_TRY(reached, read(first(), nothing, until.offset));
  if (reached.seq != until.seq) return journal_damaged(reached.offset);
  return {};
}

result<void> journal::copy_tail(std::uint64_t offset, file& to) const {
  return layout::copy_rest(*file_, offset, to);
}

result<void> journal::append(octets lines) {
  if (read_only_) return error{fault::temporary, "read-only", "journal", "it can only be read"};
  IMA_CHECK(file_->append(lines));
  return file_->sync();
}

result<void> journal::cut(std::uint64_t size) {
  IMA_CHECK(file_->truncate(size));
  return file_->sync();
}

result<void> read_whole_lines(const file& from, const journal::visitor& visit) {
  line_cutter lines(0);
  std::string buffer(read_together, '\0');
  while (true) {
    IMA_TRY(count, from.read_at(lines.wanted(), buffer));
    if (count == 0) return {};
    lines.feed(octets(buffer).substr(0, count));
    while (const auto line = lines.next()) {
      if (line->overlong) continue;
      if (const auto found = parse_journal_line(line->text)) IMA_CHECK(visit(*found));
    }
  }
}

// Most often the last line is the one; an append that is being written, or was torn, stands behind
// it otherwise.
result<commit_record> last_commit(file_system& files, const std::string& path) {
  IMA_TRY(opened, files.open(path));
  IMA_TRY(size, opened->size());
  for (std::uint64_t wanted = longest_commit; size > 0; wanted *= 16) {
    const std::uint64_t count = std::min(wanted, size);
    std::string text(static_cast<std::size_t>(count), '\0');
    IMA_TRY(got, opened->read_at(size - count, text));
    if (const auto found = find_commit(octets(text).substr(0, got))) return *found;
    if (count == size || count > longest_append) break;
  }
  return error{fault::temporary, "journal-damaged", path, "no whole append at its end"};
}

}  // namespace ima::mailbox
