#pragma once

#include <ima/header.hpp>

#include <cstddef>

namespace ima::python {

/// A part of a header block, which it keeps alive.
struct part_view {
  header_block of;
  std::size_t index = 0;

  const part_info* operator->() const { return &of.parts()[index]; }
};

}  // namespace ima::python
