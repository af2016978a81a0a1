#include "mailbox/database.hpp"

namespace ima::mailbox {

namespace {

constexpr int busy_milliseconds = 30'000;

}  // namespace

database::~database() {
  for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

result<void> database::open(const std::string& path) {
  if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) return failure();
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, busy_milliseconds);
  return {};
}

error database::failure() const {
  const char* const text = sqlite3_errmsg(db_);
  switch (sqlite3_errcode(db_) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return {fault::temporary, "index-busy", "", text};
    case SQLITE_FULL:
      return {fault::temporary, "disk-full", "index", text};
    default:
      return {fault::temporary, "index", "", text};
  }
}

result<void> database::run(const char* text) {
  if (sqlite3_exec(db_, text, nullptr, nullptr, nullptr) != SQLITE_OK) return failure();
  return {};
}

// SQLite has rolled back by itself where this fails.
void database::roll_back() noexcept { sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr); }

result<sqlite3_stmt*> database::compile(std::string_view text, unsigned flags) {
  sqlite3_stmt* made = nullptr;
  if (sqlite3_prepare_v3(db_, text.data(), static_cast<int>(text.size()), flags, &made, nullptr) !=
      SQLITE_OK)
    return failure();
  return made;
}

result<sqlite3_stmt*> database::prepare(std::string_view text) {
  if (const auto known = statements_.find(text); known != statements_.end()) return known->second;
  IMA_TRY(made, compile(text, SQLITE_PREPARE_PERSISTENT));
  statements_.emplace(text, made);
  return made;
}

void database::bind(sqlite3_stmt* s, int at, std::int64_t value) {
  sqlite3_bind_int64(s, at, value);
}
void database::bind(sqlite3_stmt* s, int at, std::uint64_t value) {
  sqlite3_bind_int64(s, at, static_cast<std::int64_t>(value));
}
void database::bind(sqlite3_stmt* s, int at, std::optional<std::int64_t> value) {
  if (value)
    sqlite3_bind_int64(s, at, *value);
  else
    sqlite3_bind_null(s, at);
}
void database::bind(sqlite3_stmt* s, int at, std::string_view value) {
  sqlite3_bind_text64(s, at, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

std::string text_at(sqlite3_stmt* row, int column) {
  const auto* text = sqlite3_column_text(row, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(row, column))};
}

std::uint64_t count_at(sqlite3_stmt* row, int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(row, column));
}

}  // namespace ima::mailbox
