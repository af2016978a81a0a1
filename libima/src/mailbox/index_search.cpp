#include "mailbox/database.hpp"
#include "mailbox/index.hpp"
#include "mailbox/record.hpp"
#include "mailbox/words.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <limits>

// The word index, and what is asked of it (docs/mailbox.md section 9).

namespace ima::mailbox {

namespace {

// The word index keeps the words of removed messages, which no query finds; it is begun anew when
// they are the greater part.
constexpr std::uint64_t kept_anyway = 1000;

std::string_view columns(search_field field) noexcept {
  switch (field) {
    case search_field::sender:
      return "sender : ";
    case search_field::recipient:
      return "recipient : ";
    case search_field::subject:
      return "subject : ";
    case search_field::header:
      return "header : ";
    case search_field::attachment:
      return "attachment : ";
    case search_field::body:
      return "body : ";
    case search_field::any:
      break;
  }
  return "";
}

// A phrase of FTS5 whose last word may go on.
std::string phrase(const search_words& wanted) {
  std::string quoted;
  for (const char c : spaced(wanted.words))
    quoted += c == '"' ? std::string_view(" ") : std::string_view(&c, 1);
  return fmt::format("{}\"{}\" *", columns(wanted.field), quoted);
}

// Gathers conditions with their values.
class statement {
 public:
  void add(std::string_view condition) { conditions_ += fmt::format(" AND {}", condition); }
  void add(std::string_view condition, database::value v) {
    add(condition);
    values_.push_back(std::move(v));
  }
  void moment(std::string_view condition, const std::optional<std::chrono::sys_seconds>& when) {
    if (when) add(condition, std::int64_t{when->time_since_epoch().count()});
  }
  void count(std::string_view condition, const std::optional<std::uint64_t>& size) {
    constexpr auto most = std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    if (size) add(condition, static_cast<std::int64_t>(std::min(*size, most)));
  }

  const std::string& conditions() const noexcept { return conditions_; }
  const std::vector<database::value>& values() const noexcept { return values_; }

 private:
  std::string conditions_;
  std::vector<database::value> values_;
};

void add_flags(statement& s, const query& what) {
  for (const auto& flag : what.flags)
    s.add("instr(',' || m.flags || ',', ?) > 0", fmt::format(",{},", flag));
  for (const auto& flag : what.without_flags)
    s.add("instr(',' || m.flags || ',', ?) = 0", fmt::format(",{},", flag));
}

void add_times_and_sizes(statement& s, const query& what) {
  s.moment("m.arrived >= ?", what.arrived_since);
  s.moment("m.arrived < ?", what.arrived_before);
  s.moment("m.sent >= ?", what.sent_since);
  s.moment("m.sent < ?", what.sent_before);
  s.count("m.size > ?", what.larger);
  s.count("m.size < ?", what.smaller);
}

// True where words must be there: then the word index leads, else the messages do.
bool add_texts(statement& s, const query& what) {
  std::string wanted;
  for (const auto& text : what.texts) {
    if (text.absent)
      s.add("NOT EXISTS (SELECT 1 FROM words WHERE words MATCH ? AND rowid = m.born)",
            phrase(text));
    else
      wanted += (wanted.empty() ? "" : " AND ") + phrase(text);
  }
  if (wanted.empty()) return false;
  s.add("words MATCH ?", wanted);
  return true;
}

search_hit hit_at(sqlite3_stmt* row) {
  search_hit hit;
  hit.folder = text_at(row, 1);
  hit.message.id = text_at(row, 2);
  hit.message.seq = count_at(row, 3);
  hit.message.size = count_at(row, 4);
  hit.message.arrived =
      std::chrono::sys_seconds(std::chrono::seconds(sqlite3_column_int64(row, 5)));
  hit.message.flags = split_flags(text_at(row, 6));
  return hit;
}

result<std::vector<index::unread>> read_unread(database& db, std::string_view text,
                                               std::size_t limit) {
  std::vector<index::unread> found;
  IMA_CHECK(db.each(
      text,
      [&](sqlite3_stmt* row) {
        found.push_back({count_at(row, 0), text_at(row, 1)});
      },
      std::uint64_t{limit}));
  return found;
}

}  // namespace

result<std::vector<index::unread>> index::unsearchable(std::size_t limit) {
  return read_unread(
      *db_,
      "SELECT born, id FROM message WHERE born > ifnull((SELECT born FROM searchable), 0)"
      " ORDER BY born LIMIT ?",
      limit);
}

result<std::vector<index::unread>> index::passed_over(std::size_t limit) {
  return read_unread(
      *db_, "SELECT born, id FROM message WHERE born IN passed_over ORDER BY born LIMIT ?", limit);
}

result<void> index::pass_over(std::uint64_t born) {
  return db_->change("INSERT OR IGNORE INTO passed_over VALUES (?)", born);
}

result<void> index::make_searchable(std::uint64_t born, const searchable_text& text) {
  IMA_CHECK(db_->change(
      "INSERT INTO words (rowid, sender, recipient, subject, header, attachment,"
      " body) VALUES (?, ?, ?, ?, ?, ?, ?)",
      born, text.sender, text.recipient, text.subject, text.header, text.attachment, text.body));
  IMA_CHECK(db_->change("DELETE FROM passed_over WHERE born = ?", born));
  return db_->change("UPDATE message SET sent = ? WHERE born = ?", text.sent, born);
}

result<void> index::drop_removed_words() {
  std::uint64_t documents = 0;
  std::uint64_t live = 0;
  IMA_CHECK(db_->each("SELECT documents FROM searchable",
                      [&](sqlite3_stmt* row) { documents = count_at(row, 0); }));
  IMA_CHECK(db_->each("SELECT sum(messages) FROM folder",
                      [&](sqlite3_stmt* row) { live = count_at(row, 0); }));
  if (documents <= 2 * live + kept_anyway) return {};
  return db_->run("DELETE FROM searchable; INSERT INTO words (words) VALUES ('delete-all')");
}

result<void> index::commit_searchable(const std::vector<unread>& done) {
  if (done.empty()) return db_->run("COMMIT");
  std::uint64_t documents = done.size();
  IMA_CHECK(db_->each("SELECT documents FROM searchable",
                      [&](sqlite3_stmt* row) { documents += count_at(row, 0); }));
  IMA_CHECK(db_->run("DELETE FROM searchable"));
  IMA_CHECK(db_->change("INSERT INTO searchable VALUES (?, ?)", done.back().born, documents));
  return db_->run("COMMIT");
}

result<std::vector<index::hit>> index::search(std::uint64_t folder, const query& what,
                                              std::uint64_t born, std::size_t limit) {
  statement s;
  const bool by_words = add_texts(s, what);
  if (folder != 0) s.add("m.folder = ?", static_cast<std::int64_t>(folder));
  s.add(by_words ? "words.rowid < ?" : "m.born < ?", static_cast<std::int64_t>(born));
  add_flags(s, what);
  add_times_and_sizes(s, what);
  std::vector<hit> hits;
  const std::string text = fmt::format(
      "SELECT m.born, f.name, m.id, m.seq, m.size, m.arrived, m.flags FROM {}"
      " CROSS JOIN folder f WHERE f.number = m.folder{} ORDER BY {} DESC LIMIT {}",
      by_words ? "words CROSS JOIN message m ON m.born = words.rowid" : "message m", s.conditions(),
      by_words ? "words.rowid" : "m.born", limit);
  IMA_CHECK(db_->each_once(text, s.values(), [&](sqlite3_stmt* row) {
    hits.push_back({count_at(row, 0), hit_at(row)});
  }));
  return hits;
}

}  // namespace ima::mailbox
