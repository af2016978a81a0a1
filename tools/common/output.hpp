#pragma once

#include <fmt/format.h>

#include <cstdio>

// What the programs say. A stream that fails makes no exception: standard error has nowhere to
// complain to, and what standard output lost is noticed when the program ends.

namespace ima::tools {

/// Called first in every program. A standard stream that the caller closed is replaced by one that
/// fails, so that no file of the program gets its number. What could not be written to standard
/// output by the end makes the exit code exit_temporary, with a complaint.
void guard_standard_streams();

/// Writes to one of the standard streams.
void put(std::FILE* stream, fmt::string_view form, fmt::format_args values);

/// Prints a result to standard output.
template <class... T>
void print(fmt::format_string<T...> form, T&&... values) {
  put(stdout, form, fmt::make_format_args(values...));
}

/// Prints a remark or complaint to standard error.
template <class... T>
void print_error(fmt::format_string<T...> form, T&&... values) {
  put(stderr, form, fmt::make_format_args(values...));
}

}  // namespace ima::tools
