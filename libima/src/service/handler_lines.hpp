#pragma once

#include "service/command.hpp"

#include <ima/delivery/handler.hpp>

#include <string>
#include <string_view>
#include <vector>

// What commands print, turned into what docs/delivery.md section 10 makes of it.

namespace ima::service {

/// A line of a handler: a result, or whatever else it is as a note.
void pass_on(std::string_view line, delivery::reply_sink& sink);

/// The verdict and its like, by a handler's exit code.
delivery::final_answer final_answer_of(const command_end& end);

/// The answer of a check command for a message with these recipients at our host.
delivery::header_answer header_answer_of(const std::vector<std::string>& lines,
                                         const command_end& end,
                                         const std::vector<address>& recipients);

}  // namespace ima::service
