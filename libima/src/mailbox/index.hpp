#pragma once

#include "mailbox/journal.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <memory>
#include <string>
#include <vector>

// The index: a cache of the journal in SQLite, local to the host (docs/mailbox.md section 7). An
// error is fault::temporary `index` where the file is of no use and may be made again, otherwise
// `index-busy` or `disk-full`.

namespace ima::mailbox {

class database;

/// What is looked for in a message's words, one text for each column of the word index.
struct searchable_text {
  std::string sender, recipient, subject, header, attachment, body;
  std::optional<std::int64_t> sent;  ///< Of the `date:` header; seconds since 1970.
};

class index {
 public:
  static result<index> open(const std::string& path);
  /// One that goes when it is closed, for where none can be at its place.
  static result<index> open_temporary();
  static void remove(const std::string& path);
  /// True where a file is there that may be one.
  static bool is_at(const std::string& path);
  /// Puts the closed index at `fresh` in the place of another, which may be open elsewhere.
  static result<void> replace(const std::string& path, const std::string& fresh);
  /// False where another file, or none, is at its path now.
  bool in_place() const;
  /// False for one that goes when it is closed.
  bool is_file() const noexcept { return identity_ != 0; }
  index(index&&) noexcept;
  index& operator=(index&&) noexcept;
  ~index();

  /// Where it follows the journal to.
  struct position {
    std::uint64_t generation = 0;
    journal_place place;
  };
  result<position> where();

  /// One transaction: begin, apply…, then move_to, which commits, or roll_back.
  result<void> begin();
  result<void> clear();
  result<void> apply(const journal_entry& entry);
  result<void> move_to(const position& p);
  void roll_back() noexcept;

  result<std::optional<message_record>> message(std::string_view id);
  /// True where the journal says that this message was removed.
  result<bool> was_removed(std::string_view id);
  result<std::optional<entry>> find(std::uint64_t folder, std::string_view id);
  /// The same by the folder's name; nothing also where there is no such folder.
  result<std::optional<entry>> find_in(std::string_view folder, std::string_view id);
  result<std::optional<search_hit>> locate(std::string_view id);
  result<std::optional<entry>> find_digest(std::uint64_t folder, std::string_view digest);

  struct folder_row : folder_record {
    folder_status holds;  ///< Without token.
  };
  result<std::vector<folder_row>> folders();
  result<std::optional<folder_row>> folder(std::string_view name);
  result<std::uint64_t> last_folder();

  /// Entries that came or changed after `seq` and such as left after `gone_seq`, by seq.
  result<std::vector<entry>> changes(std::uint64_t folder, std::uint64_t seq,
                                     std::uint64_t gone_seq, std::size_t limit);
  struct born_message {
    std::uint64_t born;
    message_record what;
  };
  /// Messages born after `born`, the eldest first.
  result<std::vector<born_message>> messages(std::uint64_t born, std::size_t limit);
  /// In a transaction: messages in a folder that is not there are in folder 1 now.
  result<void> house_homeless();
  /// Ids from `from` to before `to`, in order.
  result<std::vector<std::string>> ids(std::string_view from, std::string_view to);

  /// Messages whose words are not known yet, by birth, which is the seq that brought them.
  struct unread {
    std::uint64_t born;
    std::string id;
  };
  /// In a transaction: begins the word index anew where it has grown with removed messages.
  result<void> drop_removed_words();
  result<std::vector<unread>> unsearchable(std::size_t limit);
  /// Those whose files could not be read.
  result<std::vector<unread>> passed_over(std::size_t limit);
  /// In a transaction: keeps that this message's files cannot be read.
  result<void> pass_over(std::uint64_t born);
  /// In a transaction: keeps a message's words; then that these were dealt with, and commits.
  result<void> make_searchable(std::uint64_t born, const searchable_text& text);
  result<void> commit_searchable(const std::vector<unread>& done);
  /// Folder 0 is every folder. Messages born before `born`, the youngest first.
  struct hit {
    std::uint64_t born;
    search_hit found;
  };
  result<std::vector<hit>> search(std::uint64_t folder, const query& what, std::uint64_t born,
                                  std::size_t limit);

 private:
  explicit index(std::unique_ptr<database> db);
  static result<index> prepare(std::unique_ptr<database> db);
  result<void> take_out(std::string_view id, std::uint64_t seq);
  result<void> put(std::uint64_t seq, const message_record& m);
  std::unique_ptr<database> db_;
  std::string path_;  // empty: temporary
  std::uint64_t identity_ = 0;
};

}  // namespace ima::mailbox
