#pragma once

#include <ima/address.hpp>
#include <ima/error.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>

#include <cstddef>
#include <span>

namespace ima::service {

/// Whether the message went through this address before (docs/message.md section 4.1).
bool went_through(const header_block& header, const address& alias);

/// How many addresses can be named in `for:` lines beside the `to:` and `cc:` lines, which stay.
std::size_t room_for_members(const header_block& header, const limits& bounds);

/// The header block with which an alias sends a message on to other hosts (docs/message.md
/// section 4.1): `mailer:` and a `via:` with its own address, and `for:` lines for `to` in place of
/// all private ones. The same message always becomes the same, so that its digest tells a second
/// copy. Errors as header_block::parse(), where it grows over the limits.
result<header_block> sent_on(const header_block& header, const address& alias,
                             std::span<const address> to, limits bounds);

}  // namespace ima::service
