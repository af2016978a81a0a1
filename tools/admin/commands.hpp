#pragma once

#include <CLI/CLI.hpp>

#include <functional>

// The subjects of ima-admin, each in a file of its own that adds its subcommands.

namespace ima::tools::admin {

/// What the subcommand on the command line does; returns the program's exit code.
using action = std::function<int()>;

/// Each adds `ima-admin SUBJECT …` and, when one of its subcommands is parsed, puts what it does
/// into `chosen`. `chosen` outlives the parsing.
void add_certificate_commands(CLI::App& app, action& chosen);
void add_mailbox_commands(CLI::App& app, action& chosen);
void add_queue_commands(CLI::App& app, action& chosen);
void add_user_commands(CLI::App& app, action& chosen);

inline constexpr const char* program = "ima-admin";

}  // namespace ima::tools::admin
