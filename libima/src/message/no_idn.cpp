// Hostparts where there is no libidn2: A-labels alone, for people too.

#include "support/ascii.hpp"

#include <ima/address.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima {
namespace {

error bad_host(std::string why) { return {fault::caller, "hostpart", "", std::move(why)}; }

bool is_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

result<std::string> hostpart_from_unicode(std::string_view host) {
  if (!is_ascii(host))
    return bad_host(fmt::format(
        "hostpart '{}' is not ASCII, and libima was built without libidn2: write its A-labels",
        host));
  std::string made = lower_ascii(host);
  if (auto good = check_hostpart(made); !good) return bad_host(std::move(good).error().text);
  return made;
}

std::string hostpart_to_unicode(std::string_view host) { return std::string(host); }

}  // namespace ima
