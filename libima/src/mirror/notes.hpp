#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/types.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::mirror {

/// True for an id that is not a message's digest alone: a mailbox gives a copy one of its own.
bool is_copy(std::string_view id) noexcept;

/// The generation of the journal that a state token of the local mailbox is of.
std::string_view generation_of(std::string_view token) noexcept;
/// Whether two of them are of the same folder and generation.
bool same_folder(std::string_view one, std::string_view other) noexcept;
/// The seq up to which it goes; 0 where it is no token.
std::uint64_t seq_of(std::string_view token) noexcept;

/// What a mirror remembers from one run to the next, in notes of the local mailbox (docs/mailbox.md
/// section 3): durable, small, and of one remote mailbox among others. Errors of all: those of
/// mailbox::sync_state() and mailbox::set_sync_state(). The mailbox outlives it.
class notes {
 public:
  /// What a note about a folder says.
  enum class subject : std::uint8_t {
    there,     ///< The post office's state up to which the folder was brought.
    known,     ///< The generation of the local journal (docs/mailbox.md section 5). Where that is
               ///< another, it was repaired or compacted, and may have lost messages.
    here,      ///< The local state up to which changes made here went to the post office.
    listed,    ///< The post office's state up to which it was listed.
    missed,    ///< The messages that could not be brought.
    unlisted,  ///< The messages that could not be listed.
    paired,    ///< That the copies in it know the ids of their originals.
    swept,     ///< The local state up to which one that is only here was compared with there.
    emptied,   ///< That what is here was deleted there; of no folder: that any was, ever.
  };
  using messages = std::map<std::string, retrieval::entry>;

  /// `source` names the remote mailbox.
  notes(mailbox::mailbox& local, std::string source) : local_(local), source_(std::move(source)) {}

  /// Empty where there is none.
  result<std::string> get(subject what, std::string_view folder);
  result<void> set(subject what, std::string_view folder, octets value);
  /// A state of the post office's; the first one where there is none, or none that could be one, as
  /// the note is damaged.
  result<std::string> token(subject what, std::string_view folder);
  /// Writes only what differs from what is there, for what need be no more durable than that was:
  /// most folders are as they were, and each write costs the disk two syncs.
  result<void> renew(subject what, std::string_view folder, octets value);
  /// Gives the notes of one folder to another, for whoever renames it: copy() before, forget()
  /// after.
  result<void> copy(std::string_view from, std::string_view to);
  result<void> forget(std::string_view folder);

  /// A list of messages, `missed` or `unlisted`, without what no post office can have named. Error
  /// also: fault::temporary `message-unavailable` where they are too many.
  result<messages> get_messages(subject what, std::string_view folder);
  result<void> set_messages(subject what, std::string_view folder, const messages& list);

  /// The id that a message has here; empty for a copy that is not here, and was not. Pairs one that
  /// was expected and came.
  result<std::string> local_id(const std::string& remote_id);
  /// The id that a message has there; empty for a copy that is not from there.
  result<std::string> remote_id(const std::string& local_id);
  /// A copy is about to come here, and will have this id.
  result<void> expect(const std::string& remote_id, const std::string& local_id);
  /// A copy that is here has this id there.
  result<void> pair(const std::string& remote_id, const std::string& local_id);
  /// A copy is here no more.
  result<void> unpair(const std::string& local_id);
  /// What the record of a message from there says of its origin.
  std::string origin(std::string_view remote_id) const;

  /// The origins of a message that is here, where there was more than one. The note is common to
  /// all sources.
  result<std::vector<std::string>> origins(std::string_view local_id);
  /// Keeps them; none: the message's record tells its only one.
  result<void> set_origins(std::string_view local_id, const std::vector<std::string>& all);

 private:
  std::string name(std::string_view about, std::string_view what) const;
  result<std::string> id_in(const std::string& note);
  result<std::string> came(const std::string& remote_id, std::string_view note);
  mailbox::mailbox& local_;
  std::string source_;
};

}  // namespace ima::mirror
