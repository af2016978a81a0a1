#include "mailbox/index.hpp"

#include "mailbox/database.hpp"
#include "mailbox/record.hpp"
#include "support/try.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace ima::mailbox {

namespace {

constexpr int schema_version = 4;

// A message's `born` is the seq of the line that brought it: the same on every host, whoever made
// the index, and so what a search pages by. The word index keeps no texts: the files have them.
constexpr const char* schema = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE IF NOT EXISTS position (generation INTEGER, offset INTEGER, seq INTEGER,
    checksum INTEGER, messages INTEGER, octets INTEGER);
  CREATE TABLE IF NOT EXISTS folder (number INTEGER PRIMARY KEY, role TEXT, name TEXT UNIQUE,
    live INTEGER DEFAULT 1, messages INTEGER DEFAULT 0, unseen INTEGER DEFAULT 0,
    size INTEGER DEFAULT 0);
  CREATE TABLE IF NOT EXISTS message (born INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    folder INTEGER, seq INTEGER, size INTEGER, arrived INTEGER, flags TEXT, sent INTEGER);
  CREATE UNIQUE INDEX IF NOT EXISTS message_seq ON message (folder, seq);
  CREATE INDEX IF NOT EXISTS message_born ON message (folder, born);
  CREATE TABLE IF NOT EXISTS gone (folder INTEGER, seq INTEGER, id TEXT,
    PRIMARY KEY (folder, seq)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS searchable (born INTEGER, documents INTEGER);
  CREATE TABLE IF NOT EXISTS passed_over (born INTEGER PRIMARY KEY);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(sender, recipient, subject, header,
    attachment, body, content = '', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* M* N* Co'");
  PRAGMA user_version = 4;
  COMMIT;
)";

constexpr const char* settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";

// Columns id, seq, size, arrived, flags.
entry entry_at(sqlite3_stmt* row) {
  entry e;
  e.id = text_at(row, 0);
  e.seq = count_at(row, 1);
  e.gone = sqlite3_column_type(row, 4) == SQLITE_NULL;
  if (e.gone) return e;
  e.size = count_at(row, 2);
  e.arrived = std::chrono::sys_seconds(std::chrono::seconds(sqlite3_column_int64(row, 3)));
  e.flags = split_flags(text_at(row, 4));
  return e;
}

// Columns number, role, name, messages, unseen, size.
index::folder_row folder_at(sqlite3_stmt* row) {
  index::folder_row f;
  f.number = count_at(row, 0);
  f.role = text_at(row, 1);
  f.name = text_at(row, 2);
  f.holds.messages = count_at(row, 3);
  f.holds.unseen = count_at(row, 4);
  f.holds.size = count_at(row, 5);
  return f;
}

// 0 where there is no file, or one that was emptied: a database is never empty.
std::uint64_t identity_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && facts.st_size > 0 ? facts.st_ino : 0;
}

// SQLite would make it for everybody, and its other files as this one is. Whoever opens an index
// holds the mailbox's lock, so that nobody else has this file open: closing it would take his locks
// away.
void make_private(const std::string& path) {
  const int made = path.empty() || path == ":memory:"
                       ? -1
                       : ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made >= 0) ::close(made);  // where it cannot be made SQLite says why
}

std::int64_t unseen(std::string_view flags) {
  for (const auto& flag : split_flags(flags))
    if (flag == "seen") return 0;
  return 1;
}

}  // namespace

index::index(std::unique_ptr<database> db) : db_(std::move(db)) {}
index::index(index&&) noexcept = default;
index& index::operator=(index&&) noexcept = default;
index::~index() = default;

result<index> index::prepare(std::unique_ptr<database> db) {
  std::int64_t version = 0;
  IMA_CHECK(db->run(settings));
  IMA_CHECK(db->each("PRAGMA user_version",
                     [&](sqlite3_stmt* row) { version = sqlite3_column_int64(row, 0); }));
  if (version == schema_version) return index(std::move(db));
  std::int64_t tables = 0;
  IMA_CHECK(db->each("SELECT count(*) FROM sqlite_master",
                     [&](sqlite3_stmt* row) { tables = sqlite3_column_int64(row, 0); }));
  if (tables > 0) return error{fault::temporary, "index", "", "made by another version"};
  IMA_CHECK(db->run(schema));
  return index(std::move(db));
}

result<index> index::open(const std::string& path) {
  make_private(path);
  auto db = std::make_unique<database>();
  IMA_CHECK(db->open(path));
  if (db->is_read_only()) return error{fault::temporary, "index", path, "it can only be read"};
  IMA_TRY(opened, prepare(std::move(db)));
  opened.path_ = path;
  opened.identity_ = identity_of(path);
  return std::move(opened);
}

result<index> index::open_temporary() { return open(""); }

bool index::in_place() const { return path_.empty() || identity_of(path_) == identity_; }

void index::remove(const std::string& path) {
  // What cannot be removed shows itself when the index is opened again.
  for (const char* suffix : {"", "-wal", "-shm"}) (void)std::remove((path + suffix).c_str());
}

bool index::is_at(const std::string& path) { return identity_of(path) != 0; }

// The old one's write-ahead log must not be taken for the new one's.
result<void> index::replace(const std::string& path, const std::string& fresh) {
  remove(path);
  if (std::rename(fresh.c_str(), path.c_str()) == 0) return {};
  return error{fault::temporary, "index", path, std::generic_category().message(errno)};
}

result<index::position> index::where() {
  position p;
  IMA_CHECK(db_->each("SELECT generation, offset, seq, checksum, messages, octets FROM position",
                      [&](sqlite3_stmt* row) {
                        p.generation = count_at(row, 0);
                        p.place = {count_at(row, 1),
                                   count_at(row, 2),
                                   static_cast<std::uint32_t>(count_at(row, 3)),
                                   {0, count_at(row, 4), count_at(row, 5)}};
                      }));
  return p;
}

result<void> index::begin() { return db_->run("BEGIN IMMEDIATE"); }
void index::roll_back() noexcept { db_->roll_back(); }

result<void> index::clear() {
  return db_->run(
      "DELETE FROM position; DELETE FROM folder; DELETE FROM message; DELETE FROM gone;"
      "DELETE FROM searchable; DELETE FROM passed_over;"
      "INSERT INTO words (words) VALUES ('delete-all')");
}

result<void> index::move_to(const position& p) {
  IMA_CHECK(db_->run("DELETE FROM position"));
  IMA_CHECK(db_->change("INSERT INTO position VALUES (?, ?, ?, ?, ?, ?)", p.generation,
                        p.place.offset, p.place.seq, std::uint64_t{p.place.checksum},
                        p.place.holds.messages, p.place.holds.octets));
  return db_->run("COMMIT");
}

result<void> index::take_out(std::string_view id, std::uint64_t seq) {
  IMA_TRY(found, message(id));
  if (!found) return {};
  IMA_CHECK(
      db_->change("UPDATE folder SET messages = messages - 1, unseen = unseen - ?, size = size - ?"
                  " WHERE number = ?",
                  unseen(found->flags), found->size, found->folder));
  return db_->change("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", found->folder, seq, id);
}

result<void> index::put(std::uint64_t seq, const message_record& m) {
  IMA_TRY(was, message(m.id));
  if (was && was->folder == m.folder) {
    IMA_CHECK(
        db_->change("UPDATE folder SET unseen = unseen - ?, size = size - ?,"
                    " messages = messages - 1 WHERE number = ?",
                    unseen(was->flags), was->size, was->folder));
  } else {
    IMA_CHECK(take_out(m.id, seq));
  }
  IMA_CHECK(
      db_->change("INSERT INTO message (born, id, folder, seq, size, arrived, flags)"
                  " VALUES (?1, ?2, ?3, ?1, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET"
                  " folder = ?3, seq = ?1, size = ?4, arrived = ?5, flags = ?6",
                  seq, m.id, m.folder, m.size, m.arrived, m.flags));
  return db_->change(
      "UPDATE folder SET messages = messages + 1, unseen = unseen + ?, size = size + ?"
      " WHERE number = ?",
      unseen(m.flags), m.size, m.folder);
}

result<void> index::apply(const journal_entry& e) {
  if (const auto* m = std::get_if<message_record>(&e.what)) return put(e.seq, *m);
  if (const auto* d = std::get_if<removal_record>(&e.what)) {
    IMA_CHECK(take_out(d->id, e.seq));
    return db_->change("DELETE FROM message WHERE id = ?", d->id);
  }
  if (const auto* x = std::get_if<folder_removal_record>(&e.what))
    return db_->change("UPDATE folder SET live = 0, name = NULL WHERE number = ?", x->number);
  const auto* f = std::get_if<folder_record>(&e.what);
  if (f == nullptr) return {};
  return db_->change(
      "INSERT INTO folder (number, role, name) VALUES (?1, ?2, ?3)"
      " ON CONFLICT (number) DO UPDATE SET role = ?2, name = ?3",
      f->number, f->role, f->name);
}

result<std::optional<message_record>> index::message(std::string_view id) {
  std::optional<message_record> m;
  IMA_CHECK(db_->each(
      "SELECT folder, size, arrived, flags FROM message WHERE id = ?",
      [&](sqlite3_stmt* row) {
        m = message_record{std::string(id), count_at(row, 0), count_at(row, 1),
                           sqlite3_column_int64(row, 2), text_at(row, 3)};
      },
      id));
  return m;
}

result<std::vector<index::born_message>> index::messages(std::uint64_t born, std::size_t limit) {
  std::vector<born_message> found;
  IMA_CHECK(db_->each(
      "SELECT born, id, folder, size, arrived, flags FROM message WHERE born > ?"
      " ORDER BY born LIMIT ?",
      [&](sqlite3_stmt* row) {
        found.push_back(
            {count_at(row, 0), message_record{text_at(row, 1), count_at(row, 2), count_at(row, 3),
                                              sqlite3_column_int64(row, 4), text_at(row, 5)}});
      },
      born, std::uint64_t{limit}));
  return found;
}

result<void> index::house_homeless() {
  return db_->run(
      "UPDATE message SET folder = 1 WHERE folder NOT IN"
      " (SELECT number FROM folder WHERE live = 1)");
}

// Looks through all that is gone, which only the repair of a stray calls for.
result<bool> index::was_removed(std::string_view id) {
  bool removed = false;
  IMA_CHECK(db_->each(
      "SELECT 1 FROM gone WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE id = ?1)"
      " LIMIT 1",
      [&](sqlite3_stmt*) { removed = true; }, id));
  return removed;
}

result<std::optional<entry>> index::find(std::uint64_t folder, std::string_view id) {
  std::optional<entry> found;
  IMA_CHECK(db_->each(
      "SELECT id, seq, size, arrived, flags FROM message WHERE id = ?2 AND folder = ?1",
      [&](sqlite3_stmt* row) { found = entry_at(row); }, folder, id));
  return found;
}

result<std::optional<entry>> index::find_in(std::string_view folder, std::string_view id) {
  std::optional<entry> found;
  IMA_CHECK(db_->each(
      "SELECT id, seq, message.size, arrived, flags FROM message"
      " JOIN folder ON folder = number WHERE id = ?2 AND name = ?1",
      [&](sqlite3_stmt* row) { found = entry_at(row); }, folder, id));
  return found;
}

result<std::optional<search_hit>> index::locate(std::string_view id) {
  std::optional<search_hit> found;
  IMA_CHECK(db_->each(
      "SELECT id, seq, message.size, arrived, flags, name FROM message"
      " JOIN folder ON folder = number WHERE id = ?",
      [&](sqlite3_stmt* row) {
        found = search_hit{text_at(row, 5), entry_at(row)};
      },
      id));
  return found;
}

// A copy's id is the digest, `-` and digits, so all of one message lie between these two.
result<std::optional<entry>> index::find_digest(std::uint64_t folder, std::string_view digest) {
  std::optional<entry> found;
  const std::string behind = std::string(digest) + '.';
  IMA_CHECK(db_->each(
      "SELECT id, seq, size, arrived, flags FROM message WHERE id >= ?2 AND id < ?3"
      " AND +folder = ?1 ORDER BY born",
      [&](sqlite3_stmt* row) { found = entry_at(row); }, folder, digest, behind));
  return found;
}

result<std::vector<index::folder_row>> index::folders() {
  std::vector<folder_row> all;
  IMA_CHECK(
      db_->each("SELECT number, role, name, messages, unseen, size FROM folder"
                " WHERE live = 1 ORDER BY name",
                [&](sqlite3_stmt* row) { all.push_back(folder_at(row)); }));
  return all;
}

result<std::optional<index::folder_row>> index::folder(std::string_view name) {
  std::optional<folder_row> found;
  IMA_CHECK(db_->each(
      "SELECT number, role, name, messages, unseen, size FROM folder WHERE name = ?",
      [&](sqlite3_stmt* row) { found = folder_at(row); }, name));
  return found;
}

result<std::uint64_t> index::last_folder() {
  std::uint64_t last = 0;
  IMA_CHECK(db_->each("SELECT max(number) FROM folder",
                      [&](sqlite3_stmt* row) { last = count_at(row, 0); }));
  return last;
}

// Both halves come from an index in order, so that the work follows the page.
result<std::vector<entry>> index::changes(std::uint64_t folder, std::uint64_t seq,
                                          std::uint64_t gone_seq, std::size_t limit) {
  std::vector<entry> found;
  IMA_CHECK(db_->each(
      "SELECT id, seq, size, arrived, flags FROM message WHERE folder = ?1 AND seq > ?2"
      " UNION ALL SELECT id, seq, NULL, NULL, NULL FROM gone"
      " WHERE folder = ?1 AND seq > ?3 ORDER BY 2 LIMIT ?4",
      [&](sqlite3_stmt* row) { found.push_back(entry_at(row)); }, folder, seq, gone_seq,
      std::uint64_t{limit}));
  return found;
}

result<std::vector<std::string>> index::ids(std::string_view from, std::string_view to) {
  std::vector<std::string> found;
  IMA_CHECK(db_->each(
      "SELECT id FROM message WHERE id >= ? AND id < ? ORDER BY id",
      [&](sqlite3_stmt* row) { found.push_back(text_at(row, 0)); }, from, to));
  return found;
}

}  // namespace ima::mailbox
