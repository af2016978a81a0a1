#pragma once

#include <ima/error.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ima::service {

struct command {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;  ///< Beside our own.
  std::chrono::milliseconds time{300'000};
};

/// How a command ended.
struct command_end {
  int status = -1;         ///< Of its exit; -1 where it was ended by a signal.
  bool timed_out = false;  ///< By us, with its process group.
};

/// Fills a buffer with more of a command's input; 0 ends it.
using command_input = std::function<result<std::size_t>(char* into, std::size_t size)>;
/// Takes one line of a command's output, at most 1,024 octets of it, without its LF.
using command_line = std::function<void(std::string_view line)>;

/// A command that runs: octets go in while lines come out. Destroying it closes its input and waits
/// for its end without passing on what it still says. Movable; not thread-safe.
class running_command {
 public:
  /// Error: fault::temporary, rule `command-start`.
  static result<running_command> start(const command& what, command_line output);
  running_command(running_command&&) noexcept;
  running_command& operator=(running_command&&) noexcept;
  ~running_command();

  /// Gives it more input; what it does not read is dropped. Error: fault::temporary, rule
  /// `command-time`, once it made us wait longer than its time in all.
  result<void> write(octets more);
  /// Ends its input and waits for its end, or ends it when its time is over. Call it once.
  command_end finish();

 private:
  struct state;
  explicit running_command(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// Runs a command with `input` on its standard input while reading its output. A command need not
/// read all of its input. Error: fault::temporary, rule `command-start`, or the error of `input`
/// (the command then saw its input closed short).
result<command_end> run(const command& what, const command_input& input,
                        const command_line& output);

}  // namespace ima::service
