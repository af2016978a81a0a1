#pragma once

#include <string>
#include <string_view>

namespace ima::translate {

/// The parameters of a field, `; name=value…`, as a parser reads them best that takes them in
/// turn: the pieces of one value (RFC 2231 section 3) in the order of their numbers, and of
/// `name=` and `name*=` together only the latter, which has its charset (RFC 6266 section 4.3).
std::string in_order(std::string_view parameters);

/// `; name*=utf-8''…`, every octet but letters and digits percent-encoded, in pieces where it is
/// long (RFC 2231).
std::string write_extended(std::string_view name, std::string_view value);

}  // namespace ima::translate
