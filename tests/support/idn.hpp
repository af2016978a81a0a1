#pragma once

#include <ima/address.hpp>

#include <string>

namespace ima::test {

/// Whether libima was built with libidn2. Asks for the error that says it was not: any other is one
/// that the tests must see.
inline bool has_idn() {
  const auto host = hostpart_from_unicode("bücher.example");
  return host || host.error().text.find("built without libidn2") == std::string::npos;
}

}  // namespace ima::test
