#include "mailbox/index.hpp"

#include "mailbox/record.hpp"
#include "support/try.hpp"

#include <sqlite3.h>

#include <cstdio>
#include <map>

namespace ima::mailbox {

namespace {

constexpr int busy_milliseconds = 30'000;

// A place is a message in a folder; `flags` is null where it left.
constexpr const char* schema = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS position1 (generation INTEGER, offset INTEGER, seq INTEGER);
  CREATE TABLE IF NOT EXISTS folder1 (number INTEGER PRIMARY KEY, role TEXT, name TEXT UNIQUE,
    live INTEGER DEFAULT 1, messages INTEGER DEFAULT 0, unseen INTEGER DEFAULT 0,
    size INTEGER DEFAULT 0);
  CREATE TABLE IF NOT EXISTS place1 (folder INTEGER, id TEXT, seq INTEGER, size INTEGER,
    arrived INTEGER, flags TEXT, PRIMARY KEY (folder, id)) WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS place1_seq ON place1 (folder, seq);
  CREATE UNIQUE INDEX IF NOT EXISTS place1_id ON place1 (id) WHERE flags IS NOT NULL;
)";

std::int64_t number(std::uint64_t value) noexcept { return static_cast<std::int64_t>(value); }

}  // namespace

struct index::state {
  sqlite3* db = nullptr;
  std::map<std::string_view, sqlite3_stmt*> statements;

  state() = default;
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    for (const auto& [text, statement] : statements) sqlite3_finalize(statement);
    sqlite3_close(db);
  }

  error failure() const { return {fault::temporary, "index", "", sqlite3_errmsg(db)}; }

  result<void> run(const char* text) {
    if (sqlite3_exec(db, text, nullptr, nullptr, nullptr) != SQLITE_OK) return failure();
    return {};
  }

  result<sqlite3_stmt*> prepare(std::string_view text) {
    sqlite3_stmt*& found = statements[text];
    if (found == nullptr &&
        sqlite3_prepare_v3(db, text.data(), static_cast<int>(text.size()),
                           SQLITE_PREPARE_PERSISTENT, &found, nullptr) != SQLITE_OK)
      return failure();
    return found;
  }

  void bind(sqlite3_stmt* s, int at, std::int64_t value) { sqlite3_bind_int64(s, at, value); }
  void bind(sqlite3_stmt* s, int at, std::string_view value) {
    sqlite3_bind_text64(s, at, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }

  // Runs a statement from a string literal and hands each row to `row`.
  template <class Row, class... Values>
  result<void> each(std::string_view text, const Row& row, const Values&... values) {
    IMA_TRY(statement, prepare(text));
    int at = 0;
    (bind(statement, ++at, values), ...);
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) row(statement);
    auto ended = step == SQLITE_DONE ? result<void>() : result<void>(failure());
    sqlite3_reset(statement);
    return ended;
  }
  template <class... Values>
  result<void> change(std::string_view text, const Values&... values) {
    return each(
        text, [](sqlite3_stmt*) {}, values...);
  }
};

namespace {

std::string text_at(sqlite3_stmt* row, int column) {
  const auto* text = sqlite3_column_text(row, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(row, column))};
}
std::uint64_t count_at(sqlite3_stmt* row, int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(row, column));
}

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

folder_record folder_at(sqlite3_stmt* row) {
  return {count_at(row, 0), text_at(row, 1), text_at(row, 2)};
}

std::int64_t unseen(std::string_view flags) {
  for (const auto& flag : split_flags(flags))
    if (flag == "seen") return 0;
  return 1;
}

}  // namespace

index::index(std::unique_ptr<state> s) : state_(std::move(s)) {}
index::index(index&&) noexcept = default;
index& index::operator=(index&&) noexcept = default;
index::~index() = default;

result<index> index::open(const std::string& path) {
  auto s = std::make_unique<state>();
  if (sqlite3_open(path.c_str(), &s->db) != SQLITE_OK) return s->failure();
  sqlite3_busy_timeout(s->db, busy_milliseconds);
  IMA_CHECK(s->run(schema));
  return index(std::move(s));
}

void index::remove(const std::string& path) {
  // What cannot be removed shows itself when the index is opened again.
  for (const char* suffix : {"", "-wal", "-shm"}) (void)std::remove((path + suffix).c_str());
}

result<index::position> index::where() {
  position p;
  IMA_CHECK(state_->each("SELECT generation, offset, seq FROM position1", [&](sqlite3_stmt* row) {
    p = {count_at(row, 0), count_at(row, 1), count_at(row, 2)};
  }));
  return p;
}

result<void> index::begin() { return state_->run("BEGIN IMMEDIATE"); }
void index::roll_back() noexcept {
  // SQLite has rolled back by itself where this fails.
  sqlite3_exec(state_->db, "ROLLBACK", nullptr, nullptr, nullptr);
}
result<void> index::clear() {
  return state_->run("DELETE FROM position1; DELETE FROM folder1; DELETE FROM place1");
}

result<void> index::move_to(const position& p) {
  IMA_CHECK(state_->run("DELETE FROM position1"));
  IMA_CHECK(state_->change("INSERT INTO position1 VALUES (?, ?, ?)", number(p.generation),
                           number(p.offset), number(p.seq)));
  return state_->run("COMMIT");
}

result<void> index::take_out(std::string_view id, std::uint64_t seq) {
  IMA_TRY(found, message(id));
  if (!found) return {};
  IMA_CHECK(state_->change(
      "UPDATE folder1 SET messages = messages - 1, unseen = unseen - ?, size = size - ?"
      " WHERE number = ?",
      unseen(found->flags), number(found->size), number(found->folder)));
  return state_->change("UPDATE place1 SET flags = NULL, seq = ? WHERE folder = ? AND id = ?",
                        number(seq), number(found->folder), id);
}

result<void> index::put(std::uint64_t seq, const message_record& m) {
  IMA_CHECK(take_out(m.id, seq));
  IMA_CHECK(state_->change("INSERT OR REPLACE INTO place1 VALUES (?, ?, ?, ?, ?, ?)",
                           number(m.folder), std::string_view(m.id), number(seq), number(m.size),
                           m.arrived, std::string_view(m.flags)));
  return state_->change(
      "UPDATE folder1 SET messages = messages + 1, unseen = unseen + ?, size = size + ?"
      " WHERE number = ?",
      unseen(m.flags), number(m.size), number(m.folder));
}

result<void> index::apply(const journal_entry& e) {
  if (const auto* m = std::get_if<message_record>(&e.what)) return put(e.seq, *m);
  if (const auto* d = std::get_if<removal_record>(&e.what)) return take_out(d->id, e.seq);
  if (const auto* x = std::get_if<folder_removal_record>(&e.what))
    return state_->change("UPDATE folder1 SET live = 0, name = NULL WHERE number = ?",
                          number(x->number));
  const auto& f = std::get<folder_record>(e.what);
  return state_->change(
      "INSERT INTO folder1 (number, role, name) VALUES (?1, ?2, ?3)"
      " ON CONFLICT (number) DO UPDATE SET role = ?2, name = ?3",
      number(f.number), std::string_view(f.role), std::string_view(f.name));
}

result<std::optional<message_record>> index::message(std::string_view id) {
  std::optional<message_record> m;
  IMA_CHECK(state_->each(
      "SELECT folder, size, arrived, flags FROM place1 WHERE id = ? AND flags IS NOT NULL",
      [&](sqlite3_stmt* row) {
        m = message_record{std::string(id), count_at(row, 0), count_at(row, 1),
                           sqlite3_column_int64(row, 2), text_at(row, 3)};
      },
      id));
  return m;
}

result<std::optional<entry>> index::find(std::uint64_t folder, std::string_view id) {
  std::optional<entry> found;
  IMA_CHECK(state_->each(
      "SELECT id, seq, size, arrived, flags FROM place1"
      " WHERE folder = ? AND id = ? AND flags IS NOT NULL",
      [&](sqlite3_stmt* row) { found = entry_at(row); }, number(folder), id));
  return found;
}

result<std::vector<folder_record>> index::folders() {
  std::vector<folder_record> all;
  IMA_CHECK(state_->each("SELECT number, role, name FROM folder1 WHERE live = 1 ORDER BY name",
                         [&](sqlite3_stmt* row) { all.push_back(folder_at(row)); }));
  return all;
}

result<std::optional<folder_record>> index::folder(std::string_view name) {
  std::optional<folder_record> found;
  IMA_CHECK(state_->each(
      "SELECT number, role, name FROM folder1 WHERE name = ?",
      [&](sqlite3_stmt* row) { found = folder_at(row); }, name));
  return found;
}

result<std::uint64_t> index::last_folder() {
  std::uint64_t last = 0;
  IMA_CHECK(state_->each("SELECT max(number) FROM folder1",
                         [&](sqlite3_stmt* row) { last = count_at(row, 0); }));
  return last;
}

result<folder_status> index::status(std::uint64_t folder) {
  folder_status s;
  IMA_CHECK(state_->each(
      "SELECT messages, unseen, size FROM folder1 WHERE number = ?",
      [&](sqlite3_stmt* row) {
        s.messages = count_at(row, 0);
        s.unseen = count_at(row, 1);
        s.size = count_at(row, 2);
      },
      number(folder)));
  return s;
}

result<std::vector<entry>> index::changes(std::uint64_t folder, std::uint64_t seq,
                                          std::size_t limit) {
  std::vector<entry> found;
  IMA_CHECK(state_->each(
      "SELECT id, seq, size, arrived, flags FROM place1 WHERE folder = ?1 AND seq > ?2"
      " AND (?2 > 0 OR flags IS NOT NULL) ORDER BY seq LIMIT ?3",
      [&](sqlite3_stmt* row) { found.push_back(entry_at(row)); }, number(folder), number(seq),
      number(limit)));
  return found;
}

result<std::vector<std::string>> index::ids(std::string_view id, std::size_t limit) {
  std::vector<std::string> found;
  IMA_CHECK(state_->each(
      "SELECT id FROM place1 WHERE flags IS NOT NULL AND id > ? ORDER BY id LIMIT ?",
      [&](sqlite3_stmt* row) { found.push_back(text_at(row, 0)); }, id, number(limit)));
  return found;
}

}  // namespace ima::mailbox
