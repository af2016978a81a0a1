#pragma once

#include <ima/error.hpp>

#include <string>

namespace ima {

/// What others are told of a fault of ours: all but the place, which may be a path on our disks.
inline std::string told(error why) {
  why.place.clear();
  return why.message();
}

}  // namespace ima
