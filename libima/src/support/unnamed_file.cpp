#include "support/unnamed_file.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace ima {

result<descriptor> unnamed_file(std::string_view rule) {
  const char* const set = std::getenv("TMPDIR");
  const std::string folder = set == nullptr || *set == '\0' ? "/tmp" : set;
  std::string path = folder + "/libima-XXXXXX";
  descriptor made(::mkostemp(path.data(), O_CLOEXEC));
  if (made.is_open() && ::unlink(path.c_str()) == 0) return made;
  return error{fault::temporary, rule, folder, std::generic_category().message(errno)};
}

}  // namespace ima
