#include "arguments.hpp"

#include "exit_codes.hpp"
#include "output.hpp"

namespace ima::tools {

void add_config_arguments(CLI::App& app, config_arguments& arguments) {
  app.add_option("--config", arguments.file, "Read the settings from this TOML file")
      ->required()
      ->type_name("FILE");
  app.add_flag("--check-config", arguments.check_only, "Only check the settings");
}

const char* version() noexcept { return IMA_VERSION; }

std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv) {
  guard_standard_streams();
  app.set_version_flag("--version", app.get_name() + " (libima) " IMA_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? exit_ok : exit_usage;
  }
  return std::nullopt;
}

}  // namespace ima::tools
