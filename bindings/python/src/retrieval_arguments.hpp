#pragma once

#include "binding.hpp"

#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <pybind11/stl.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// What the session and the client of the retrieval protocol take in the same form.

namespace ima::python {

using ids = std::vector<std::string>;
/// (folder, id) of messages that the user has.
using references = std::vector<std::pair<std::string, std::string>>;
/// By the number of a part of the message that is sent: (folder, id, part) that the user has.
using part_references =
    std::map<std::uint64_t, std::tuple<std::string, std::string, std::uint64_t>>;
/// (folder, token) to watch from.
using watched = std::map<std::string, std::string>;

inline retrieval::send_options send_options_from(std::string save, const references& answered,
                                                 const references& forwarded,
                                                 const part_references& parts) {
  retrieval::send_options out{std::move(save), {}, {}, {}};
  for (const auto& [folder, id] : answered) out.answered.push_back({folder, id});
  for (const auto& [folder, id] : forwarded) out.forwarded.push_back({folder, id});
  for (const auto& [part, from] : parts)
    out.parts.push_back({part, {std::get<0>(from), std::get<1>(from)}, std::get<2>(from)});
  return out;
}

inline references references_of(const std::vector<retrieval::message_reference>& messages) {
  references out;
  for (const auto& [folder, id] : messages) out.emplace_back(folder, id);
  return out;
}

inline part_references parts_of(const retrieval::send_options& options) {
  part_references out;
  for (const auto& [part, from, source] : options.parts)
    out.emplace(part, std::tuple(from.folder, from.id, source));
  return out;
}

inline std::vector<retrieval::watched_folder> watched_from(const watched& folders) {
  std::vector<retrieval::watched_folder> out;
  for (const auto& [folder, token] : folders) out.push_back({folder, token});
  return out;
}

void add_retrieval_records(py::module_& m);
void add_retrieval_events(py::module_& m);

}  // namespace ima::python
