#pragma once

#include "translate/leaf.hpp"

#include <ima/body_source.hpp>
#include <ima/header.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// One part of a message as a MIME entity (docs/translation.md section 4).

namespace ima::translate {

/// What a part's octets allow.
struct octet_traits {
  bool nul = false;
  bool cr = false;
  bool only_crlf = true;  ///< Every LF has a CR before it, and there is one.
  bool utf8 = true;
  bool ends_in_cr = false;
  bool ended = true;          ///< Empty, or the last octet is LF.
  bool lf = false;            ///< There is an LF.
  bool foreign_ends = false;  ///< Its line ends count, and are not those of the mail.
  std::uint64_t high = 0;     ///< Octets above 127.
  std::uint64_t longest_line = 0;
};

/// Reads the part with this number to find out. Errors: the source's; fault::peer `part-digest`.
result<octet_traits> traits_of(body_source& body, const part_info& part, std::size_t number);

/// A part ready to be written.
struct written_part {
  std::vector<mime_field> fields;
  transfer encoding = transfer::identity;
  bool whole = false;  ///< Written as it is, line ends included.
};

/// The parameters of a part's type that mail gets, but for `charset`.
std::vector<parameter> written_params(const part_info& part);

/// The file name that mail gets: where the line could not say it in full, what it has beside.
std::string file_name(const part_info& part, const std::vector<parameter>& kept);

/// The entity of a part. `kept` are the attributes of its `part:` line that the specification does
/// not name, `role` is not empty; a `root` has no fields but those about the body.
written_part entity_of(const part_info& part, const std::vector<parameter>& kept,
                       std::string_view role, const octet_traits& traits, bool root);

/// An attribute as it was before escaping, if it fits a field.
std::optional<std::string> field_value(std::string_view attribute);

/// The attributes of a `part:` line's value that the specification does not name.
std::vector<parameter> kept_attributes(std::string_view line);

}  // namespace ima::translate
