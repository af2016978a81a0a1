#pragma once

#include "translate/entity.hpp"

#include <ima/address.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/translate/remark.hpp>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Header fields of Internet mail and header lines of an IMA message, both ways
// (docs/translation.md sections 2 and 3).

namespace ima::translate {

/// A header line with its own text.
struct owned_line {
  std::string name;
  std::string value;

  friend bool operator==(const owned_line&, const owned_line&) = default;
};

/// Stands for an author whose address a message cannot say.
constexpr std::string_view unknown_author = "unknown@mime.invalid";

/// An address of mail as a message says it, without the quotes that its local part does not need;
/// or nothing, where no message can say it.
std::optional<address> address_of(std::string_view mail_address);

/// Turns fields into lines, one field after the other; what it has seen decides about repetitions.
class field_translator {
 public:
  explicit field_translator(const limits& bounds) : bounds_(bounds) {}

  /// The lines that say what `field` says. Where they cannot say all of it, a `mime-field:` line
  /// with the field as it was stands before them.
  std::vector<owned_line> translate(const mime_field& field);

  /// What could not be said even so.
  const std::vector<remark>& remarks() const noexcept { return remarks_; }

 private:
  using lines = std::vector<owned_line>;

  lines mailboxes(std::string_view name, const mime_field& field);
  lines author(const mime_field& field);
  lines single(std::string_view name, const mime_field& field);
  lines ids(std::string_view name, const mime_field& field);
  lines automatic(const mime_field& field);
  lines trace(const mime_field& field);
  lines via(const mime_field& field);
  lines wrapped(const mime_field& field);
  lines other(const mime_field& field);
  std::string_view some_of(const mime_field& field) const;
  owned_line as_it_was(const mime_field& field);
  std::string fit(const mime_field& field, std::string_view text, std::size_t room);
  bool first(std::string_view name) { return seen_.emplace(name).second; }

  limits bounds_;
  std::set<std::string, std::less<>> seen_;
  std::size_t recipients_ = 0;
  std::size_t received_ = 0;
  std::vector<remark> remarks_;
};

/// True for fields that belong to the mbox that a mail is in, and not to the mail.
bool is_of_mbox(std::string_view name) noexcept;

/// Turns the lines of a header block into fields, ready to be folded; `part:` and envelope lines
/// apart. `remarks` gets what cannot be said.
std::vector<mime_field> write_fields(std::span<const header_field> lines, const limits& bounds,
                                     std::vector<remark>& remarks);

/// All lines that fields translate to, in order.
std::vector<owned_line> translate_all(std::span<const mime_field> fields, const limits& bounds);

}  // namespace ima::translate
