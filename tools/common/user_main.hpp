#pragma once

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "office_client.hpp"

#include <ima/error.hpp>

#include <utility>

namespace ima::tools {

/// The `main` of a user's program: `add(app)` adds its own options; `run(office)` is called with
/// the settings of his post office, unless they are only to be checked, and returns the exit code.
template <class Add, class Run>
int user_main(const char* program, const char* about, int argc, char** argv, Add add, Run run) {
  CLI::App app(about, program);
  config_arguments arguments;
  add_config_arguments(app, arguments);
  add(app);
  if (const auto status = parse_arguments(app, argc, argv)) return *status;
  result<office_settings> office = read_office_settings(arguments.file);
  if (!office) return complain(program, office.error());
  return arguments.check_only ? exit_ok : run(*std::move(office));
}

}  // namespace ima::tools
