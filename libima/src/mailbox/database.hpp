#pragma once

#include "support/try.hpp"

#include <ima/error.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A connection to SQLite with prepared statements; the words in which the index is written.

namespace ima::mailbox {

class database {
 public:
  database() = default;
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database();

  result<void> open(const std::string& path);
  /// True where it can be read and not be changed.
  bool is_read_only() const { return sqlite3_db_readonly(db_, "main") == 1; }
  /// What went wrong last. Rules: `index` (the file is of no use), `index-busy`, `disk-full`.
  error failure() const;
  /// Statements without values or rows.
  result<void> run(const char* text);
  void roll_back() noexcept;

  /// Runs a statement and hands each row to `row`.
  template <class Row, class... Values>
  result<void> each(std::string_view text, const Row& row, const Values&... values) {
    IMA_TRY(statement, prepare(text));
    int at = 0;
    (bind(statement, ++at, values), ...);
    return step(statement, row);
  }
  template <class... Values>
  result<void> change(std::string_view text, const Values&... values) {
    return each(
        text, [](sqlite3_stmt*) {}, values...);
  }

  /// The same for a statement put together on the spot; it is not kept.
  using value = std::variant<std::int64_t, std::string>;
  template <class Row>
  result<void> each_once(const std::string& text, const std::vector<value>& values,
                         const Row& row) {
    IMA_TRY(statement, compile(text, 0));
    int at = 0;
    for (const value& v : values)
      std::visit([&](const auto& held) { bind(statement, ++at, held); }, v);
    auto ended = step(statement, row);
    sqlite3_finalize(statement);
    return ended;
  }

 private:
  result<sqlite3_stmt*> compile(std::string_view text, unsigned flags);
  result<sqlite3_stmt*> prepare(std::string_view text);
  static void bind(sqlite3_stmt* s, int at, std::int64_t value);
  static void bind(sqlite3_stmt* s, int at, std::uint64_t value);
  static void bind(sqlite3_stmt* s, int at, std::optional<std::int64_t> value);
  static void bind(sqlite3_stmt* s, int at, std::string_view value);
  static void bind(sqlite3_stmt* s, int at, const std::string& value) {
    bind(s, at, std::string_view(value));
  }
  template <class Row>
  result<void> step(sqlite3_stmt* statement, const Row& row) {
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) row(statement);
    auto ended = step == SQLITE_DONE ? result<void>() : result<void>(failure());
    sqlite3_reset(statement);
    return ended;
  }

  sqlite3* db_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

std::string text_at(sqlite3_stmt* row, int column);
std::uint64_t count_at(sqlite3_stmt* row, int column);

}  // namespace ima::mailbox
