#pragma once

#include <ima/error.hpp>

#include <chrono>
#include <functional>
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

/// Runs a command with `input` on its standard input while reading its output. A command need not
/// read all of its input. Error: fault::temporary, rule `command-start`, or the error of `input`
/// (the command then saw its input closed short).
result<command_end> run(const command& what, const command_input& input,
                        const command_line& output);

}  // namespace ima::service
