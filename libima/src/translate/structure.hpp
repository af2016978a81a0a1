#pragma once

#include "translate/mime_words.hpp"

#include <ima/header.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// How the parts of a message hang together (docs/translation.md section 4): in MIME by nesting, in
// a message by roles, and by a mime-structure: line where roles cannot say it.

namespace ima::translate {

/// Octets of a preamble or epilogue that a `mime-multipart:` line says.
constexpr std::size_t longest_outside = 1000;
/// Octets of the parameters of all multiparts, as one line says them.
constexpr std::size_t longest_multipart_params = 6000;

struct node {
  std::string subtype;            ///< Of the multipart; empty for a leaf.
  std::vector<parameter> params;  ///< Of the multipart, its boundary apart.
  std::size_t part = 0;           ///< A leaf's part, from 1.
  std::vector<node> children;
  /// Of the multipart: its fields that no parameter says, and what stands before its parts
  /// (`preamble`) and behind them (`epilogue`), all escaped. Not compared.
  std::vector<parameter> around{};

  friend bool operator==(const node&, const node&);
};

node leaf_node(std::size_t part);

/// The type of a node's entity; that of a leaf is `leaf_type` of its part.
using type_of_part = std::function<std::string(std::size_t part)>;
std::string type_of(const node& n, const type_of_part& leaf_type);

/// Whether a multipart says no more than the one part that it has.
bool collapses(const node& n);

/// The nesting that is found in mail that was written from this one: multiparts of one part are
/// that part, and a parameter that says what a reader knows is none.
node as_read(node n, const type_of_part& leaf_type);

/// What decides a part's role beside its place.
struct leaf_traits {
  std::size_t part = 0;  ///< From 1.
  std::string media_type;
  std::string role;  ///< As written; empty where it is not.
  bool named = false;
  bool attached = false;  ///< Content-Disposition says attachment.
  bool has_cid = false;
};

/// What a `part:` line says of that.
leaf_traits traits_of(std::size_t number, const part_info& part);

/// The role that a part without role= has.
std::string_view role_or_default(const leaf_traits& leaf);

/// Gives each leaf of `root` its role by its place; `leaves[i]` is part i + 1.
void assign_roles(const node& root, std::span<leaf_traits> leaves);

/// The nesting that these parts have by their roles alone. No leaves: a leaf with part 0.
node structure_by_roles(std::span<const leaf_traits> leaves);

std::string write_structure(const node& root);
/// Nothing where the text is no structure, or nests deeper than mail may (scan_bounds::depth).
std::optional<node> read_structure(std::string_view text);

/// The values of the `mime-multipart:` lines that say what is around the parts.
std::vector<std::string> write_around(const node& root);
/// Puts that into the multiparts that the lines name; what names none is nothing.
void read_around(node& root, std::span<const std::string_view> lines);

/// The nesting that a mime-structure: line says, if there is one and it names exactly these leaves
/// in their order; otherwise that of their roles.
node structure_of(std::optional<std::string_view> line, std::span<const leaf_traits> leaves);

}  // namespace ima::translate
