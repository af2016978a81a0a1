#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/file_system.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::mirror {

/// What runs were about to do in the local mailbox since one of them sent back what people did
/// there, in a file: a run that was stopped is not taken for a person by the next. A line for each
/// change is on disk before the change begins: the local mailbox's state, id there, folder before
/// and after, flags after; no folder after is a removal. Movable; one thread at a time. Errors of
/// all: those of mailbox::file_system.
class own_changes {
 public:
  /// Goes on where earlier runs left it; reads what they left only `to_ask` for it.
  static result<own_changes> open(std::string path, bool to_ask);

  struct change {
    std::string id;    ///< At the post office.
    std::string from;  ///< Empty for a message that comes.
    std::string to;    ///< Empty for one that goes.
    std::vector<std::string> flags;
  };
  /// Returns once they are on disk. `now` is a state token of the local mailbox.
  result<void> will_do(std::span<const change> changes, std::string_view now);

  /// How much of it runs did that a message is in a folder with these flags, or is gone, for which
  /// `folder` is empty.
  enum class share : std::uint8_t { nothing, place, everything };
  /// What they did since the local mailbox had the state `since`.
  share did(std::string_view id, std::string_view folder, std::vector<std::string> flags,
            std::string_view since) const;

  /// People's work in these folders was sent back: what concerns no other is not needed any more.
  result<void> forget(const std::function<bool(std::string_view)>& folders);

 private:
  struct state {
    std::string folder;
    std::string flags;
    std::string before;  // the local mailbox's
  };

  explicit own_changes(std::string path) : path_(std::move(path)) {}
  result<std::string> read();
  void take(std::string_view line);
  result<void> replace(octets text);

  std::string path_;
  std::unique_ptr<mailbox::file> file_;  // none before there is a line
  // By id, the last; before it the one that it followed in the same folder.
  std::map<std::string, std::vector<state>, std::less<>> last_;
};

}  // namespace ima::mirror
