#pragma once

#include "mailbox/journal.hpp"

#include <ima/mailbox/mailbox.hpp>

#include <memory>
#include <string>
#include <vector>

// The index: a cache of the journal in SQLite, local to the host (docs/mailbox.md section 7). Every
// error is fault::temporary `index`; whoever meets one may delete the file and open it afresh.

namespace ima::mailbox {

class index {
 public:
  static result<index> open(const std::string& path);
  static void remove(const std::string& path);
  index(index&&) noexcept;
  index& operator=(index&&) noexcept;
  ~index();

  /// Where it follows the journal to.
  struct position {
    std::uint64_t generation = 0;
    std::uint64_t offset = 0;
    std::uint64_t seq = 0;
  };
  result<position> where();

  /// One transaction: begin, apply…, then move_to, which commits, or roll_back.
  result<void> begin();
  result<void> clear();
  result<void> apply(const journal_entry& entry);
  result<void> move_to(const position& p);
  void roll_back() noexcept;

  result<std::optional<message_record>> message(std::string_view id);
  result<std::optional<entry>> find(std::uint64_t folder, std::string_view id);
  result<std::vector<folder_record>> folders();
  result<std::optional<folder_record>> folder(std::string_view name);
  result<std::uint64_t> last_folder();
  result<folder_status> status(std::uint64_t folder);
  /// Entries after `seq`, by seq; those that left only where `seq` is not 0.
  result<std::vector<entry>> changes(std::uint64_t folder, std::uint64_t seq, std::size_t limit);
  /// Ids after `id`, in order.
  result<std::vector<std::string>> ids(std::string_view id, std::size_t limit);

 private:
  struct state;
  explicit index(std::unique_ptr<state> s);
  result<void> take_out(std::string_view id, std::uint64_t seq);
  result<void> put(std::uint64_t seq, const message_record& m);
  std::unique_ptr<state> state_;
};

}  // namespace ima::mailbox
