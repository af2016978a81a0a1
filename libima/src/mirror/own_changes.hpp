#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::mirror {

/// What runs were about to do since people's work here was last sent back by a whole one, in a
/// file: what they did in the local mailbox, which is not to be taken for a person's work, and what
/// they sent, which is not to be taken for the post office's change when it comes back. A line for
/// each change is on disk before it begins: the local mailbox's state, or nothing for what is sent,
/// id there, folder before and after, flags after; no folder after is a removal. Movable; one
/// thread at a time. Errors of all: those of mailbox::file_system.
class own_changes {
 public:
  /// Goes on where earlier runs left it.
  static result<own_changes> open(std::string path);

  struct change {
    std::string id;    ///< At the post office.
    std::string from;  ///< Empty for a message that comes, or where it does not matter.
    std::string to;    ///< Empty for one that goes.
    std::optional<std::vector<std::string>> flags;  ///< None: those it has, whoever gave them.
  };
  /// Returns once they are on disk. `now` is a state token of the local mailbox. What this run was
  /// about to do counts as done.
  result<void> will_do(std::span<const change> changes, std::string_view now);
  result<void> will_send(std::span<const change> changes);

  /// How much of it runs did that a message is here in a folder with these flags, or is gone, for
  /// which `folder` is empty.
  enum class share : std::uint8_t { nothing, place, everything };
  /// What they did since the local mailbox had the state `since`.
  share did(std::string_view id, std::string_view folder, std::vector<std::string> flags,
            std::string_view since) const;

  /// Whether the post office told of a message's folder and flags before, or was told of them, and
  /// of no others since.
  enum class knowledge : std::uint8_t {
    none,
    likely,   ///< An earlier run was about to do the same here.
    certain,  ///< A run sent it, or this one did it.
  };
  knowledge knows(std::string_view id, std::string_view folder,
                  std::vector<std::string> flags) const;
  /// The folder in which the post office has a message by what is certain; null where that is
  /// nothing.
  const std::string* place_of(std::string_view id) const;

  /// A run is through with these folders: what concerns no other is not needed any more, but for
  /// what it sent itself, which comes back to the next.
  result<void> forget(const std::function<bool(std::string_view)>& folders);
  /// A run is through, and nobody's work was sent: what something else followed is not needed any
  /// more. It goes when it is half of the file.
  result<void> shorten();

 private:
  struct place {
    std::string folder;
    std::string flags;
  };
  struct deed {
    place last;
    std::optional<std::string> before;  // flags in that folder, as the last may not have been done
    std::string state;                  // of the local mailbox, before it
    bool now = false;                   // this run did it
  };
  struct line;

  explicit own_changes(std::string path) : path_(std::move(path)) {}
  result<std::string> read();
  void take(const line& said, bool now);
  result<void> add(std::span<const change> changes, std::string_view state);
  bool is_last(const line& said) const;
  result<std::string> needed(const std::function<bool(const line&, bool earlier)>& is_needed);
  result<void> replace(octets text);

  std::string path_;
  std::unique_ptr<mailbox::file> file_;             // none before there is a line
  std::uint64_t earlier_ = 0;                       // octets of it that earlier runs wrote
  std::map<std::string, deed, std::less<>> done_;   // by id, the last
  std::map<std::string, place, std::less<>> sent_;  // unless something was done since
};

}  // namespace ima::mirror
