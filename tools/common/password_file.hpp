#pragma once

#include <ima/error.hpp>
#include <ima/retrieval/types.hpp>

#include <string>

namespace ima::tools {

/// Reads the password that is the first line of a file, "-" for standard input. Errors:
/// fault::caller, rules `config-file` (it cannot be read), `config-value` (others than its owner
/// may read it, or there is no password in it).
result<retrieval::secret> read_password_file(const std::string& path);

}  // namespace ima::tools
