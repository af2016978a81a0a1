#include "exit_codes.hpp"

#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace ima::tools {
namespace {

// Rules that only settings, and the files they name, can break.
constexpr std::array<std::string_view, 14> of_settings{
    "account",         "ca-file",        "certificate-file", "crl-file",
    "dns-server",      "endpoint",       "key-file",         "listen",
    "metrics-address", "no-certificate", "password-cost",    "password-hash",
    "queue-format",    "route"};

bool is_of_settings(std::string_view rule) {
  return rule.starts_with("config") ||
         std::find(of_settings.begin(), of_settings.end(), rule) != of_settings.end();
}

}  // namespace

exit_code exit_code_of(const error& problem) {
  if (problem.rule == "no-input" || problem.rule == "part-file") return exit_no_input;
  if (problem.rule == "incomplete") return exit_mixed;
  if (problem.rule == "recipients-missing") return exit_bad_input;  // it came in a file
  switch (problem.kind) {
    case fault::peer:
      return exit_bad_input;
    case fault::caller:
      return is_of_settings(problem.rule) ? exit_config : exit_usage;
    case fault::refused:
      return exit_failed;
    case fault::temporary:
    case fault::unknown:
      return exit_temporary;
  }
  return exit_internal;
}

result<void> all_but(std::size_t failed) {
  if (failed == 0) return {};
  return error{fault::temporary, "incomplete", "",
               fmt::format("everything else is done, {} failed", failed)};
}

exit_code complain(std::string_view program, const error& problem) {
  print_error("{}: {}\n", program, problem.message());
  return exit_code_of(problem);
}

}  // namespace ima::tools
