#pragma once

#include <ima/date.hpp>
#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/roles.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The words of the retrieval protocol (docs/retrieval.md), shared by both sides and by back ends.

namespace ima::retrieval {

/// Why a request is not done; a closed list (docs/retrieval.md section 7). Each word is either for
/// good (`FAIL`) or for now (`DEFER`): see is_temporary().
enum class reason : std::uint8_t {
  framing,        ///< A line or count breaks the framing; the server closes.
  syntax,         ///< The arguments of a known command are malformed.
  command,        ///< The server does not know the command.
  state,          ///< Not legal now: before AUTH, or AUTH twice.
  auth,           ///< User name or proof is wrong, or this user may not prove himself this way.
  no_folder,      ///< No such folder ("no-folder").
  no_message,     ///< No such message in the folder ("no-message").
  no_part,        ///< The message has no part of that number ("no-part").
  range,          ///< The offset lies behind the end of the part.
  resync,         ///< The state token is not known (any more): begin again with `0`.
  limit,          ///< Over one of the server's limits.
  quota,          ///< The mailbox is full.
  unsupported,    ///< The server does not offer this.
  folder_exists,  ///< There is a folder of that name ("folder-exists").
  folder_role,    ///< Another folder has that role ("folder-role").
  folder_in_use,  ///< The folder is not empty, or the inbox ("folder-in-use").
  header,         ///< The header block breaks a rule of docs/message.md.
  damaged,        ///< A part does not match its digest.
  cancelled,      ///< The client took APPEND or SEND back.
  from,           ///< An address in from: or mailer: is not the user's.
  recipients,     ///< The message names no recipient.
  busy,           ///< Too much at once, or too many failed proofs of late (for now).
  storage,        ///< The store fails (for now).
  shutdown,       ///< The server is stopping (for now).
  internal,       ///< A fault on the server's side (for now).
  in_progress,    ///< The same message is being sent ("in-progress", for now).
};
/// The word as it stands on the wire; a literal.
IMA_API std::string_view to_string(reason r) noexcept;
/// The reason of a word; nothing where this version does not know it.
IMA_API std::optional<reason> reason_from(std::string_view word) noexcept;
/// True for the words that go with `DEFER`, false for those that go with `FAIL`.
IMA_API bool is_temporary(reason r) noexcept;

/// The word a back end's error goes out with (docs/retrieval.md section 7): the word that equals
/// `error::rule` where there is one, `busy` for `mailbox-busy`; otherwise `storage` for a temporary
/// fault, and `internal`.
IMA_API reason reason_for(const error& e) noexcept;

/// The other way round: an error whose rule is the word of `r`, as back ends return it. It is
/// fault::temporary or fault::refused as is_temporary() says.
IMA_API error refusal(reason r, std::string text);

/// Octets that are overwritten when they are no longer needed: a password. Movable, not copyable.
class IMA_API secret {
 public:
  secret() = default;
  /// Copies the octets; who has them elsewhere wipes them there.
  explicit secret(octets value) : value_(value.begin(), value.end()) {}
  secret(secret&& other) noexcept;
  secret& operator=(secret&& other) noexcept;
  ~secret();

  /// Valid until the object is moved from, assigned to or destroyed.
  octets view() const noexcept { return octets(value_.data(), value_.size()); }

 private:
  void wipe() noexcept;
  std::vector<char> value_;  // not std::string: its small buffer would stay behind after a move
};

/// A folder, as a list shows it. Names are UTF-8 of 1 to 255 octets without controls, hierarchical
/// with `/`, with no empty, `.` or `..` component.
struct folder_info {
  std::string name;  ///< As it is shown; folder_to_wire() says how it travels.
  std::string role;  ///< inbox, sent, drafts, archive, junk, trash, or empty.

  friend bool operator==(const folder_info&, const folder_info&) = default;
};

/// What `STATUS` tells.
struct folder_status {
  std::uint64_t messages = 0;  ///< How many.
  std::uint64_t unseen = 0;    ///< How many without the flag `seen`.
  std::uint64_t size = 0;      ///< Octets of all messages.
  std::string token;           ///< The state now; CHANGES from here shows only what comes later.

  friend bool operator==(const folder_status&, const folder_status&) = default;
};

/// A message that came or changed (a `+` line of `CHANGES`).
struct entry {
  std::string id;                  ///< Stable, and the same wherever the message is.
  std::uint64_t seq = 0;           ///< Grows with every change of any message in the mailbox.
  std::uint64_t size = 0;          ///< Octets: header block and parts.
  std::vector<std::string> flags;  ///< Words, each once.
  timestamp arrived;               ///< When the server took it, UTC.

  friend bool operator==(const entry&, const entry&) = default;
};

/// One line of `CHANGES`: `present` is empty where the message left the folder.
struct change {
  std::string id;                ///< The message's.
  std::optional<entry> present;  ///< As it is now.

  friend bool operator==(const change&, const change&) = default;
};

/// One page of `CHANGES`.
struct change_page {
  std::vector<change> changes;  ///< In order; a later line of the same message counts.
  std::string token;            ///< The state after this page.
  bool more = false;            ///< Another page can be had at once from `token`.

  friend bool operator==(const change_page&, const change_page&) = default;
};

/// A message's header block and the server's own record beside it, each as its octets
/// (docs/retrieval.md section 5.5). The record is what the server proved; the block is what the
/// sender wrote.
struct stored_header {
  std::string header;  ///< What the sender wrote.
  std::string record;  ///< Empty where the message did not come by delivery.

  friend bool operator==(const stored_header&, const stored_header&) = default;
};

/// What `FLAG` does to each message it names.
struct flag_change {
  std::vector<std::string> add;              ///< Flags to set.
  std::vector<std::string> remove;           ///< Flags to clear.
  std::optional<std::uint64_t> only_if_seq;  ///< Leave alone what changed after this seq.

  friend bool operator==(const flag_change&, const flag_change&) = default;
};

/// What became of one message under FLAG, DELETE, MOVE or COPY.
enum class message_outcome : std::uint8_t {
  done,
  gone,     ///< Not in the folder (any more): a `GONE` line.
  changed,  ///< Left alone, as it changed after `only_if_seq`: a `CHANGED` line.
};

/// What APPEND says of the message beside its header block.
struct append_target {
  std::string folder;                ///< Its name.
  std::vector<std::string> flags;    ///< What it begins with.
  std::optional<timestamp> arrived;  ///< In any zone. Nothing: now.

  friend bool operator==(const append_target&, const append_target&) = default;
};

/// What SEARCH looks for: messages that meet all of it. Texts are compared without regard to case.
struct search_query {
  std::vector<std::string> from;           ///< In from:, mailer: and reply-to: lines.
  std::vector<std::string> to;             ///< In to:, cc: and bcc: lines.
  std::vector<std::string> subject;        ///< In the subject.
  std::vector<std::string> text;           ///< In all of these and in the text parts.
  std::vector<std::string> flags;          ///< That are set.
  std::vector<std::string> without_flags;  ///< That are not set.
  std::optional<timestamp> since;          ///< Arrived then or later; in any zone.
  std::optional<timestamp> before;         ///< Arrived earlier; in any zone.
  std::optional<std::uint64_t> min_size;   ///< Octets.
  std::optional<std::uint64_t> max_size;   ///< Octets.

  friend bool operator==(const search_query&, const search_query&) = default;
};

/// One page of SEARCH, newest first.
struct search_page {
  std::vector<std::string> ids;  ///< The messages'.
  std::string cursor;            ///< Asks for the next page; empty where there is none.

  friend bool operator==(const search_page&, const search_page&) = default;
};

/// What QUOTA tells of the whole mailbox; a limit that is not there is nothing.
struct quota_status {
  std::uint64_t size = 0;                     ///< Octets of all messages.
  std::optional<std::uint64_t> max_size;      ///< Octets that may be.
  std::uint64_t messages = 0;                 ///< How many there are.
  std::optional<std::uint64_t> max_messages;  ///< How many may be.

  friend bool operator==(const quota_status&, const quota_status&) = default;
};

/// A folder that WATCH watches from a state, and what EVENT says of it: the state now.
struct watched_folder {
  std::string folder;  ///< Its name.
  std::string token;   ///< The state.

  friend bool operator==(const watched_folder&, const watched_folder&) = default;
};

/// The state token from which `CHANGES` lists a whole folder.
inline constexpr std::string_view first_token = "0";

/// Flags that mean the same everywhere (docs/retrieval.md section 5.8). Every other flag is the
/// user's own keyword.
inline constexpr std::array<std::string_view, 6> system_flags{"seen",  "answered",  "flagged",
                                                              "draft", "forwarded", "junk"};
/// How many flags one FLAG names at most, and one message has (docs/retrieval.md section 9).
inline constexpr std::size_t most_flags = 64;

/// Capabilities of docs/retrieval.md sections 5.10 to 5.17, as they stand in the greeting.
namespace capability {
/// Making, renaming and deleting folders (5.10).
inline constexpr std::string_view folders = "folders";
inline constexpr std::string_view append = "append";      ///< APPEND (5.11).
inline constexpr std::string_view search = "search";      ///< SEARCH (5.12).
inline constexpr std::string_view quota = "quota";        ///< QUOTA (5.13).
inline constexpr std::string_view password = "password";  ///< PASSWORD (5.14).
inline constexpr std::string_view watch = "watch";        ///< WATCH (5.15).
inline constexpr std::string_view send = "send";          ///< SEND (5.16).
inline constexpr std::string_view queue = "queue";        ///< QUEUE (5.17).
}  // namespace capability

/// Checks the grammar of each kind of word (docs/retrieval.md section 4). Error: fault::peer, with
/// the rule `user`, `folder`, `id`, `token` or `flag`.
IMA_API result<void> check_user(std::string_view user);
/// As check_user(), for a folder's name before it is written for the wire.
IMA_API result<void> check_folder(std::string_view name);
/// As check_user(), for a message's id.
IMA_API result<void> check_id(std::string_view id);
/// As check_user(), for a state token.
IMA_API result<void> check_token(std::string_view token);
/// As check_user(), for a flag.
IMA_API result<void> check_flag(std::string_view flag);

/// A folder's name as one word on the wire (docs/retrieval.md section 4): `%` and space are written
/// `%25` and `%20`, nothing else is, so there is one form for each name.
IMA_API std::string folder_to_wire(std::string_view name);
/// The other way round. Error: fault::peer, rule `folder`, for every other form.
IMA_API result<std::string> folder_from_wire(std::string_view word);

}  // namespace ima::retrieval
