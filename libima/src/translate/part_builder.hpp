#pragma once

#include "translate/entity.hpp"
#include "translate/leaf.hpp"
#include "translate/structure.hpp"

#include <ima/body_source.hpp>
#include <ima/limits.hpp>
#include <ima/translate/remark.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ima::translate {

/// A part that a message gets, and where its octets come from.
struct made_part {
  part_words words;
  std::string role;
  std::size_t original = 0;  ///< Number of the part that it was made from, or 0.
  leaf_plan plan;
  std::uint64_t size = 0;
  digest sum;

  std::string line() const { return part_line(size, sum, words, role, original); }
};

/// The parts of a message (docs/translation.md section 4).
struct made_parts {
  std::vector<made_part> parts;
  node structure;
  std::vector<remark> remarks;
};

/// Whether an entity becomes one part: all but a multipart whose parts can be found and read.
bool is_one_part(const entity& e);

/// Makes the parts of the entities in `tree`, which was scanned from `mail`; reads every body once.
/// With `keep_header` the message's own header becomes one more part. Errors: the source's.
result<made_parts> build_parts(body_source& mail, const entity_tree& tree, bool keep_header);

/// The `role=` of a part whose role by its place is `leaf.role`; empty where the line need not say
/// it. Adds to the part's words what the role does not say of its disposition.
std::string settle_role(part_words& words, leaf_traits leaf, const entity& e);

/// What remains of a part's line for structure and roles.
leaf_traits traits_of(std::size_t number, const part_words& words, std::string_view role);

}  // namespace ima::translate
