#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/retrieval/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The user's side of one retrieval connection (docs/retrieval.md section 6).

namespace ima::retrieval {

/// What the post office says. Events come in the order of the requests; each request's replies end
/// with one `reply::done`.
namespace reply {
/// The session needs octets: call receive() or receive_eof().
struct need_input {};
/// The greeting came and names the expected host.
struct greeting {
  std::vector<std::string> capabilities;
};
struct folder {
  folder_info info;
};
struct changed_entry {
  change what;
};
/// A header block and the server's record, as octets; the views live until the next call of any
/// member. They have not been parsed.
struct header {
  std::string id;
  octets block;
  octets record;
};
/// A message is not (any more) in the folder.
struct gone {
  std::string id;
};
/// FLAG left a message alone, as it had changed.
struct changed {
  std::string id;
};
struct copied {
  std::string id;
  std::string new_id;
};
/// A part's octets begin: `length` of them, from `offset`.
struct part_begin {
  std::string id;
  std::uint64_t part = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
/// Octets of the part, zero copy; the view lives until the next call of any member.
struct part_octets {
  octets bytes;
};
/// Why a request was not done.
struct failure {
  reason why = reason::internal;  ///< A word this library does not know counts as internal.
  bool temporary = false;         ///< `DEFER`: the same may work later.
  std::string text;
};
/// The request is over. Which members are set depends on the request.
struct done {
  std::optional<failure> failed;
  std::optional<folder_status> status;  ///< After STATUS.
  std::string token;                    ///< After CHANGES.
  bool more = false;                    ///< After CHANGES.
};
/// The connection is over, and no request was waiting for its answer.
struct closed {};
}  // namespace reply

using client_event =
    std::variant<reply::need_input, reply::greeting, reply::folder, reply::changed_entry,
                 reply::header, reply::gone, reply::changed, reply::copied, reply::part_begin,
                 reply::part_octets, reply::done, reply::closed>;

struct client_options {
  std::string host;  ///< The greeting must name it.
  limits bounds;
};

/// One connection as the user's program sees it: requests in, octets out; octets in, replies out.
/// Requests may be made at any time, also before the greeting and many at once; they are answered
/// in order. No socket, no clock, no file. Not thread-safe. Movable.
///
/// What a request method is given is checked first: fault::caller, rules `user`, `folder`, `id`,
/// `token`, `flag`, `request-length`, and `out-of-turn` after done(). What the server sends is
/// never trusted: replies that do not fit the request, that exceed limits, or lines that break the
/// framing are fault::peer, rules `greeting`, `reply-syntax`, `reply-order`, `reply-limit` and the
/// rules of lines (docs/delivery.md section 2); every later call of next_event() repeats the error.
class IMA_API client {
 public:
  explicit client(client_options options);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  result<void> authenticate(std::string_view user, octets password);
  /// By the client certificate that the TLS connection presented.
  result<void> authenticate(std::string_view user);
  result<void> folders();
  result<void> status(std::string_view folder);
  result<void> changes(std::string_view folder, std::string_view token, std::uint64_t page);
  result<void> headers(std::string_view folder, std::span<const std::string> ids);
  /// Without `length`: to the end of the part. `part` counts from 1.
  result<void> fetch(std::string_view folder, std::string_view id, std::uint64_t part,
                     std::uint64_t offset = 0, std::optional<std::uint64_t> length = {});
  result<void> flag(std::string_view folder, std::span<const std::string> ids,
                    const flag_change& what);
  result<void> remove(std::string_view folder, std::span<const std::string> ids);
  result<void> move(std::string_view folder, std::string_view target,
                    std::span<const std::string> ids);
  result<void> copy(std::string_view folder, std::string_view target,
                    std::span<const std::string> ids);
  /// No more requests; the server closes when it has answered what was asked.
  result<void> done();

  /// Octets from the server. The view must live until next_event() returns need_input or an error.
  void receive(octets input);
  /// The connection ended. Requests without an answer then are fault::unknown, rule
  /// `connection-lost`.
  void receive_eof();
  result<client_event> next_event();

  /// Octets to send, valid until the next call of any other member.
  octets pending_output() const noexcept;
  void sent(std::size_t count);

  /// Requests made and not yet answered.
  std::size_t outstanding() const noexcept;
  /// How long to wait for the server's next octets; nothing while no answer is awaited.
  std::optional<std::chrono::milliseconds> timeout() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima::retrieval
