#pragma once

#include <ima/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace ima::mailbox {

/// A file name for a part that is safe whatever the sender chose (docs/mailbox.md section 3.4):
/// "2-holiday.jpg" for part 2 with this `name=`, "2" for one without. Never a path, never hidden,
/// and another for each part. Thread-safe.
IMA_API std::string attachment_name(std::size_t part, std::string_view name);

}  // namespace ima::mailbox
