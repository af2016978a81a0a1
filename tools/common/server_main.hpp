#pragma once

#include "arguments.hpp"
#include "exit_codes.hpp"
#include "log.hpp"
#include "signals.hpp"

#include <ima/error.hpp>

#include <string>
#include <system_error>

namespace ima::tools {

/// Runs `serve`, which watches for signals; complains where there is no thread for that.
template <class Serve>
int with_signals(const char* program, Serve serve) {
  try {
    return serve();
  } catch (const std::system_error& none) {
    return complain(program, {fault::temporary, "threads", "",
                              "no thread can be started: " + none.code().message()});
  }
}

/// The `main` of a server: reads its settings with `read(file, settings)` and, unless they are only
/// to be checked, runs `serve(file, settings, log)`.
template <class Settings, class Read, class Serve>
int server_main(const char* program, const char* about, int argc, char** argv, Read read,
                Serve serve) {
  block_watched_signals();
  CLI::App app(about, program);
  config_arguments arguments;
  add_config_arguments(app, arguments);
  if (const auto status = parse_arguments(app, argc, argv)) return *status;
  stderr_log log;
  Settings s;
  const result<void> good = read(arguments.file, s);
  if (!good) return complain(program, good.error());
  if (arguments.check_only) return exit_ok;
  return with_signals(program, [&] { return serve(arguments.file, s, log); });
}

/// Logs where a server listens.
template <class Server>
void log_addresses(const Server& server, log_sink& log) {
  for (const std::string& where : server.addresses())
    log.write({log_level::info, "listening", {{"address", where}}});
  if (!server.metrics_address().empty())
    log.write({log_level::info, "metrics-listening", {{"address", server.metrics_address()}}});
}

}  // namespace ima::tools
