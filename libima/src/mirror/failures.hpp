#pragma once

#include <ima/error.hpp>

#include <string>
#include <string_view>

// What one message cannot be had for, and what is the fault of more than that message.

namespace ima::mirror {

/// The rule of an error that is about one message alone.
inline constexpr std::string_view unavailable = "message-unavailable";

/// Whether the post office says so of the message, and not of everything.
bool is_of_message(const error& why);
/// That a message cannot be had for now, or at all.
error unavailable_for(const std::string& id, const error& why);
/// That it is not what its post office says it is.
error broken(const std::string& id, std::string_view rule, std::string_view text);

}  // namespace ima::mirror
