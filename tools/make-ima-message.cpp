// make-ima-message: makes an IMA message of files and options (docs/man/make-ima-message.1.scd).

#include "arguments.hpp"
#include "draft_options.hpp"
#include "exit_codes.hpp"

#include <unistd.h>

#include <csignal>

int main(int argc, char** argv) {
  using namespace ima;
  constexpr const char* program = "make-ima-message";
  CLI::App app("Make an IMA message and write it to standard output.", program);
  tools::draft_options given;
  tools::add_draft_options(app, given)->required();
  if (const auto code = tools::parse_arguments(app, argc, argv)) return *code;
  std::signal(SIGPIPE, SIG_IGN);
  auto composed = tools::compose(given);
  if (!composed) return tools::complain(program, composed.error());
  const auto written = composed->write(STDOUT_FILENO);
  return written ? tools::exit_ok : tools::complain(program, written.error());
}
