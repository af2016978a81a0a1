#pragma once

#include "binding.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace ima::python {

/// Octets of a part as Python sees them.
struct part_event {
  std::size_t index;
  py::object data;
  bool last;
};

/// Octets of a part as a post office sent them.
struct octets_event {
  py::object data;
};

/// A message's header block as a post office sent it.
struct header_event {
  std::string id;
  py::bytes block;
  py::bytes record;
};

/// An optional error of an event, as an exception object or None.
inline py::object problem_of(const std::optional<error>& problem) {
  if (!problem) return py::none();
  return exception_for(*problem);
}

/// The session's octets to send, which are then gone.
template <class Session>
py::bytes take_output(Session& session) {
  py::bytes out = to_bytes(session.pending_output());
  session.sent(session.pending_output().size());
  return out;
}

}  // namespace ima::python
