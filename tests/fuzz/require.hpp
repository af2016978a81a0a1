#pragma once

#include <cstdlib>

/// The invariant of a fuzz target: what does not hold ends the program, as a crash would.
inline void require(bool holds) {
  if (!holds) std::abort();
}
