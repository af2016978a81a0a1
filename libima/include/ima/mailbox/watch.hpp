#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/mailbox/file_system.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace ima::mailbox {

/// Tells cheaply that something may have changed in a mailbox: mail arrived, or any process on any
/// host changed flags, folders or messages. Holds nothing open, so that a post office has one for
/// each of thousands of users and asks each every half second. One thread at a time; the file
/// system outlives it.
///
///     if (*w.changed()) { box.take_in(); … box.changes(folder, token, page) … }
class IMA_API watch {
 public:
  /// Watches the mailbox at `path`, which need not be there yet. The file system outlives it.
  watch(file_system& files, std::string path);

  /// True on the first call, and where the mailbox is not as it was at the call before. Two
  /// status calls and nothing else. A change that falls into the same tick of the file system's
  /// clock as the one before is told late, once that tick is over for certain (a tenth of a second;
  /// two and a half where times are whole seconds), by one more `true`; so an answer of `true` does
  /// not promise that there is something new. Errors: those of file_system; fault::temporary
  /// `mailbox-format` while there is no mailbox.
  result<bool> changed();

 private:
  struct sight {
    std::uint64_t journal = 0;
    std::uint64_t journal_size = 0;
    std::chrono::sys_time<std::chrono::nanoseconds> incoming{};
    friend bool operator==(const sight&, const sight&) = default;
  };
  using clock = std::chrono::steady_clock;

  result<sight> look();

  file_system* files_;
  std::string incoming_;
  std::string journal_;
  sight last_;
  clock::time_point settled_ = clock::time_point::max();  // max: nothing to be told late
  bool first_ = true;
};

}  // namespace ima::mailbox
