#pragma once

#include "translate/codec.hpp"
#include "translate/entity.hpp"
#include "translate/escape.hpp"
#include "translate/structure.hpp"

#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/translate/mime_to_message.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// One part between a MIME entity and a `part:` line (docs/translation.md section 4).

namespace ima::translate {

/// What a `part:` line says beside length and digest, and what else it keeps of the entity.
struct part_words {
  std::string media_type;
  std::string cid;
  std::string params;
  std::string name;
  std::vector<parameter> kept;  ///< Attributes named like the fields they come from, escaped.
  bool complete = true;         ///< Every field of the entity is said.
};

/// Whether a field of this name, in lower case, says how a body is built; no attribute says that.
bool shapes_body(std::string_view name);

/// As many of a type's parameters as have `room` octets; `complete` becomes false if not all.
std::vector<parameter> fitting_params(std::vector<parameter> params, std::size_t room,
                                      bool& complete);

/// Whether a field that may stand once in an entity, as it is about the body, stands there again.
bool repeats_body_fields(const entity& e);

/// Adds a field as an attribute, escaped. False where not all of it could be added.
bool keep_field(std::vector<parameter>& into, std::string_view name, std::string_view value);

/// Whether a part line whose `name=` is `name` can have it from this file name, which need not be
/// one line, and may be endless.
bool is_name_of(std::string_view name, std::string_view whole);

/// Whether `Content-ID` can say this `cid=`.
bool is_content_id(std::string_view cid);

/// What the entity's own fields make of its part line. `root` fields other than those about the
/// body belong to the message.
part_words describe(const entity& e, bool root);
/// The same where the line has to say the whole type once more.
part_words describe_briefly(const entity& e, bool root);

/// Gives a part without a name the one that its transfer encoding says, if the line has room.
void name_by_encoding(part_words& into, std::string_view name);

/// Whether mail gives a part with these words and this role, which is not empty, a disposition if
/// nothing says that there is none.
bool is_disposed(std::string_view media_type, std::string_view role, bool named);

/// The value of a `part:` line. `original` is the number of the part it was made from, or 0.
std::string part_line(std::uint64_t size, const digest& sum, const part_words& words,
                      std::string_view role, std::size_t original);

/// `params=` as parameters and back.
std::string write_params(const std::vector<parameter>& params);
std::vector<parameter> read_params(std::string_view text);
/// Octets of those of all multiparts.
std::size_t params_octets(const node& root);

/// How the octets of a body become those of a part.
struct leaf_plan {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  transfer encoding = transfer::identity;
  bool text = false;       ///< Turned into UTF-8 from `charset`.
  bool line_ends = false;  ///< CRLF becomes LF.
  std::string charset;
};

/// The plan for an entity that is no multipart.
leaf_plan plan_of(const entity& e);

struct leaf_outcome {
  bool clean = true;   ///< False where the transfer encoding was broken.
  bool lossy = false;  ///< The charset could not say what the octets mean.
  std::uint64_t size = 0;
  digest sum;
  std::string file_name;  ///< From the transfer encoding, if that has one.
};

/// Reads the body by its plan and hands it on; `take` may be empty. Errors: those of both.
result<leaf_outcome> read_leaf(body_source& from, const leaf_plan& plan, const octet_writer& take);

}  // namespace ima::translate
