#pragma once

#include <ima/error.hpp>

#include <cstddef>
#include <string_view>

namespace ima::tools {

/// What the programs exit with beside the verdicts of their manual pages; numbers as in sysexits.h.
enum exit_code : int {
  exit_ok = 0,
  exit_failed = 1,      ///< It was understood and failed for good.
  exit_mixed = 2,       ///< Some went well, some did not.
  exit_usage = 64,      ///< Wrong arguments.
  exit_bad_input = 65,  ///< The input breaks a rule.
  exit_no_input = 66,   ///< A named file cannot be read.
  exit_internal = 70,   ///< A bug, or no memory.
  exit_temporary = 75,  ///< It may work later.
  exit_config = 78,     ///< The configuration is wrong.
};

/// The exit code that says whose fault `problem` is.
exit_code exit_code_of(const error& problem);

/// What a program ends with that did everything but what it named before: `incomplete` where that
/// was anything.
result<void> all_but(std::size_t failed);

/// Prints "program: problem" to standard error, escaped, and returns exit_code_of(problem).
exit_code complain(std::string_view program, const error& problem);

}  // namespace ima::tools
