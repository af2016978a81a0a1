#pragma once

#include "translate/mime_words.hpp"

#include <ima/body_source.hpp>
#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The structure of a MIME message: which octets are whose header and whose body (RFC 2045, 2046).
// The message is read once, line by line; no body and no more than `bounds` of its headers is kept,
// and nothing recurses, so no message needs much memory or a deep stack.

namespace ima::translate {

/// A header field as it stands, with its lines joined (RFC 5322 section 2.2.3); any octets.
struct mime_field {
  std::string name;   ///< As written.
  std::string value;  ///< Without the spaces around it.
};

struct entity {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  std::uint64_t header_at = 0;
  std::uint64_t body_at = 0;
  std::uint64_t body_end = 0;
  std::uint64_t preamble_end = 0;  ///< Of a multipart with children: before the first boundary.
  std::uint64_t epilogue_at = 0;   ///< Behind its last boundary, or 0 where that is missing.
  std::vector<mime_field> fields;
  parametrised type{"text/plain", {}};  ///< Content-Type; its default where it is no type at all.
  bool typed = false;                   ///< There is a Content-Type that is one.
  std::size_t parent = none;
  std::vector<std::size_t> children;  ///< Indices in entity_tree::all.

  bool multipart() const noexcept { return type.value.starts_with("multipart/"); }
  /// The first field's value, or empty. `name` is lower case.
  std::string_view field(std::string_view name) const noexcept;
};

/// Whether a Content-Type, without its parameters, is one.
bool is_type(std::string_view text) noexcept;

/// Where the colon behind a field's name stands in a line; npos where the line is no field.
std::size_t field_colon(std::string_view line) noexcept;

struct scan_bounds {
  std::size_t entities = 2000;
  std::size_t depth = 50;
  std::size_t fields = 60'000;             ///< Of all entities.
  std::size_t field_octets = 1280 * 1024;  ///< Of all fields.
};

struct entity_tree {
  std::vector<entity> all;     ///< all[0] is the message.
  bool fields_cut = false;     ///< A field of the message itself was left out, or its end.
  bool entities_cut = false;   ///< There are more entities than were asked for; some are missing.
  bool broken_header = false;  ///< The message's header holds a line that is no field.
};

/// Scans the message that is the first `size` octets of `from`; with `fields`, which are then its
/// header, it is a body alone. What nests too deep, and a multipart
/// without its boundary, is an entity without children. Errors: the source's.
result<entity_tree> scan_entities(body_source& from, std::uint64_t size,
                                  const scan_bounds& bounds = {},
                                  std::span<const mime_field> fields = {});

}  // namespace ima::translate
