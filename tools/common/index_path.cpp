#include "index_path.hpp"

#include "log.hpp"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>

namespace ima::tools {
namespace {

// Empty where it is not set, or not to a place: the XDG specification ignores relative paths.
std::filesystem::path place_in(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr || *value != '/') return {};
  const std::string_view text(value);
  return text.substr(0, text.find(':'));  // systemd may have made several
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

std::filesystem::path default_index_path() {
  if (const auto own = place_in("CACHE_DIRECTORY"); !own.empty()) return own / "index";
  const auto below = std::filesystem::path("ima") / "index" / host_name();
  if (const auto cache = place_in("XDG_CACHE_HOME"); !cache.empty()) return cache / below;
  if (const auto home = place_in("HOME"); !home.empty()) return home / ".cache" / below;
  return {};
}

result<void> make_index_path(const std::filesystem::path& given) {
  std::string directory = given.string();
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  const auto above = std::filesystem::path(directory).parent_path();
  std::error_code failed;
  if (!above.empty()) std::filesystem::create_directories(above, failed);
  if (!failed && (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST)) return {};
  const std::string why = failed ? failed.message() : std::strerror(errno);
  return error{fault::caller, "config-file", directory,
               "the directory for indexes cannot be made: " + why};
}

mailbox::options options_for(const std::string& mailbox) {
  std::error_code unknown;  // then it is not there
  if (std::filesystem::exists(mailbox + "/index", unknown)) return {.log = &warnings()};
  const auto host = default_index_path();
  if (host.empty() || !make_index_path(host)) return {.index = ":memory:", .log = &warnings()};
  return {.index = mailbox::index_in(host.string(), mailbox), .log = &warnings()};
}

}  // namespace ima::tools
