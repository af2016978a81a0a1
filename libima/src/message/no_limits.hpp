#pragma once

#include <ima/limits.hpp>

#include <cstdint>

namespace ima {

/// For what was taken already: it was within the limits of its time.
inline limits no_message_limits() {
  limits most;
  most.header_line = most.header_block = most.parts = most.recipients = most.received = SIZE_MAX;
  most.body = UINT64_MAX;
  return most;
}

}  // namespace ima
