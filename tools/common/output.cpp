#include "output.hpp"

#include "exit_codes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace ima::tools {
namespace {

// Reading from 0 and writing to 1 and 2 fail, as they did while these were closed.
void replace_closed(int number) {
  if (::fcntl(number, F_GETFD) >= 0 || errno != EBADF) return;
  const int mode = number == STDIN_FILENO ? O_WRONLY : O_RDONLY;
  if (::open("/dev/null", mode) != number) std::_Exit(exit_internal);
}

// Some file systems, NFS among them, tell only the one who closes a file that it has no room.
void check_output() {
  const bool good = std::ferror(stdout) == 0;
  const bool closed = std::fclose(stdout) == 0;
  const int reason = errno;
  if (good && closed) return;
  print_error("{}: standard output: {} [output]\n", ::program_invocation_short_name,
              closed ? "cannot be written" : std::strerror(reason));
  std::_Exit(exit_temporary);
}

}  // namespace

void guard_standard_streams() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) replace_closed(number);
  if (std::atexit(check_output) != 0) std::_Exit(exit_internal);
}

void put(std::FILE* stream, fmt::string_view form, fmt::format_args values) {
  const std::string text = fmt::vformat(form, values);
  // How the stream stands is looked at once, at the end.
  std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace ima::tools
