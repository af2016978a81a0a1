#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace ima::tools {

/// What every configured program takes.
struct config_arguments {
  std::string file;         ///< `--config FILE`; must be given.
  bool check_only = false;  ///< `--check-config`: read the configuration, say what is wrong, end.
};

/// Adds `--config` and `--check-config` to `app`. `arguments` outlives it.
void add_config_arguments(CLI::App& app, config_arguments& arguments);

/// The version of this libima.
const char* version() noexcept;

/// Called first: guards the standard streams (output.hpp), adds `--version`, parses the command
/// line and prints help or a complaint as needed. Returns the
/// exit code with which the program shall end at once, or nothing to go on.
std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv);

}  // namespace ima::tools
