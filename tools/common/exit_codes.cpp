#include "exit_codes.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace ima::tools {

exit_code exit_code_of(const error& problem) {
  if (problem.rule == "no-input" || problem.rule == "part-file") return exit_no_input;
  switch (problem.kind) {
    case fault::peer:
      return exit_bad_input;
    case fault::caller:
      return problem.rule.starts_with("config") ? exit_config : exit_usage;
    case fault::refused:
      return exit_failed;
    case fault::temporary:
    case fault::unknown:
      return exit_temporary;
  }
  return exit_internal;
}

exit_code complain(std::string_view program, const error& problem) {
  fmt::print(stderr, "{}: {}\n", program, problem.message());
  return exit_code_of(problem);
}

}  // namespace ima::tools
