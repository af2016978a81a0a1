#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// The state tables of docs/retrieval.md section 6: which command is legal when, and which reply
// lines may answer it. Both sessions obey the same table.

namespace ima::retrieval {

enum class command : std::uint8_t {
  auth,
  folders,
  status,
  changes,
  headers,
  fetch,
  flag,
  remove,
  move,
  copy,
  create_folder,
  rename_folder,
  delete_folder,
  append,
  send,
  search,
  quota,
  password,
  watch,
  queue,
  data,
  cancel,
  done,
};

/// Where a connection stands.
enum class phase : std::uint8_t { unauthenticated, authenticated, closed };

/// Reply lines before the last one; bits, so that a row can allow several.
enum class line : std::uint16_t {
  none = 0,
  folder = 1,
  change = 2,
  header = 4,
  gone = 8,
  changed = 16,
  copied = 32,
  part = 64,
  accept = 128,
  found = 256,
  outcome = 512,
  note = 1024,
  queued = 2048,
};
constexpr line operator|(line a, line b) noexcept {
  return static_cast<line>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// What stands after the `OK` that ends a request.
enum class ending : std::uint8_t { bare, status, token, id, cursor, quota, verdict };

/// How many of the reply lines there must be.
enum class count : std::uint8_t {
  any,      ///< None to many (at most one for each id, where ids are named).
  each_id,  ///< One for each id of the request, in order.
  one,      ///< Exactly one.
};

struct command_row {
  command what;
  std::string_view word;
  phase legal_in;
  line lines;
  count lines_count;
  ending end;
};

inline constexpr std::array commands{
    command_row{command::auth, "AUTH", phase::unauthenticated, line::none, count::any,
                ending::bare},
    command_row{command::folders, "FOLDERS", phase::authenticated, line::folder, count::any,
                ending::bare},
    command_row{command::status, "STATUS", phase::authenticated, line::none, count::any,
                ending::status},
    command_row{command::changes, "CHANGES", phase::authenticated, line::change, count::any,
                ending::token},
    command_row{command::headers, "HEADERS", phase::authenticated, line::header | line::gone,
                count::each_id, ending::bare},
    command_row{command::fetch, "FETCH", phase::authenticated, line::part, count::one,
                ending::bare},
    command_row{command::flag, "FLAG", phase::authenticated, line::gone | line::changed, count::any,
                ending::bare},
    command_row{command::remove, "DELETE", phase::authenticated, line::gone, count::any,
                ending::bare},
    command_row{command::move, "MOVE", phase::authenticated, line::gone, count::any, ending::bare},
    command_row{command::copy, "COPY", phase::authenticated, line::copied | line::gone,
                count::each_id, ending::bare},
    command_row{command::create_folder, "CREATE-FOLDER", phase::authenticated, line::none,
                count::any, ending::bare},
    command_row{command::rename_folder, "RENAME-FOLDER", phase::authenticated, line::none,
                count::any, ending::bare},
    command_row{command::delete_folder, "DELETE-FOLDER", phase::authenticated, line::none,
                count::any, ending::bare},
    command_row{command::append, "APPEND", phase::authenticated, line::accept, count::one,
                ending::id},
    command_row{command::send, "SEND", phase::authenticated,
                line::accept | line::outcome | line::note, count::any, ending::verdict},
    command_row{command::search, "SEARCH", phase::authenticated, line::found, count::any,
                ending::cursor},
    command_row{command::quota, "QUOTA", phase::authenticated, line::none, count::any,
                ending::quota},
    command_row{command::password, "PASSWORD", phase::authenticated, line::none, count::any,
                ending::bare},
    command_row{command::watch, "WATCH", phase::authenticated, line::none, count::any,
                ending::bare},
    command_row{command::queue, "QUEUE", phase::authenticated, line::queued, count::any,
                ending::bare},
    command_row{command::data, "DATA", phase::authenticated, line::none, count::any, ending::bare},
    command_row{command::cancel, "CANCEL", phase::authenticated, line::none, count::any,
                ending::bare},
    command_row{command::done, "DONE", phase::authenticated, line::none, count::any, ending::bare},
};

constexpr const command_row& rules_of(command c) noexcept {
  return commands[static_cast<std::size_t>(c)];
}

constexpr std::optional<command> command_from(std::string_view word) noexcept {
  for (const command_row& row : commands)
    if (row.word == word) return row.what;
  return std::nullopt;
}

/// Whether `c` may be asked in phase `p`. DONE may always.
constexpr bool is_legal(command c, phase p) noexcept {
  return c == command::done || rules_of(c).legal_in == p;
}

/// Whether a line of kind `l` may answer `c`.
constexpr bool may_answer(command c, line l) noexcept {
  return (static_cast<unsigned>(rules_of(c).lines) & static_cast<unsigned>(l)) != 0;
}

}  // namespace ima::retrieval
