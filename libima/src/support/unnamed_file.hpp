#pragma once

#include "support/descriptor.hpp"

#include <ima/error.hpp>

#include <string_view>

namespace ima {

/// A file under no name, open for reading and writing, which goes when it is closed. It lies where
/// TMPDIR says, or in /tmp. Error: fault::temporary, with the rule that is given.
result<descriptor> unnamed_file(std::string_view rule);

}  // namespace ima
