#pragma once

#include <string>
#include <string_view>

// Modified UTF-7 (RFC 3501 section 5.1.3), in which Dovecot and Courier write the names of folders.

namespace ima::translate {

/// The name, which is UTF-8, in printable ASCII.
std::string to_modified_utf7(std::string_view name);

/// Undoes that; what is not modified UTF-7 stays as it is.
std::string from_modified_utf7(std::string_view text);

}  // namespace ima::translate
