#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace ima {

/// What settings, certificates and files of users may have at most, in octets.
inline constexpr std::size_t small_file_limit = std::size_t{256} * 1024 * 1024;

/// The content of a file that is small: settings, certificates. A pipe will do; a device without an
/// end is noticed by the limit. Thread-safe. Errors: fault::caller with `rule`, which is a string
/// literal, the place being the path.
IMA_API result<std::string> read_small_file(const std::string& path, std::string_view rule,
                                            std::size_t limit = small_file_limit);

}  // namespace ima
