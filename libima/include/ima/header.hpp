#pragma once

#include <ima/address.hpp>
#include <ima/date.hpp>
#include <ima/digest.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ima {

/// One line of a header block. The views refer to the block it came from.
struct header_field {
  std::string_view name;   ///< Lower case, without the colon.
  std::string_view value;  ///< Everything after the colon and its space; may be empty.
};

/// What a `part:` line announces (docs/message.md section 5). The views refer to the header block.
struct part_info {
  std::uint64_t size = 0;       ///< Octets.
  std::uint64_t offset = 0;     ///< Octets from the end of the header block.
  std::string_view media_type;  ///< `type/subtype`, lower case.
  digest sha256;                ///< Of the part's octets.
  std::string_view role;        ///< text, alternative, inline, attachment, or empty.
  std::string_view cid;         ///< Content id, or empty.
  std::string_view params;      ///< Media-type parameters as written, or empty.
  std::string_view name;        ///< File name as the author gave it, or empty. Never a path.
};

/// A header block that obeys every rule of docs/message.md: there is no object for one that does
/// not. Immutable and cheap to copy (copies share the text), safe to use from many threads; views
/// it hands out live as long as any copy. One that was moved from may only be assigned to or
/// destroyed.
class IMA_API header_block {
 public:
  /// Parses exactly one header block, from its `ima: 1` line to its blank line included; nothing
  /// may follow. The octets are copied. Errors: fault::peer, with the word of the rule that is
  /// broken, and "header line N" as the place where it is a line's.
  static result<header_block> parse(octets block, const limits& bounds = {});

  /// The octets as they were parsed, blank line included.
  octets text() const noexcept;
  /// Octets, blank line included.
  std::size_t size() const noexcept { return text().size(); }

  /// Its lines, in order.
  std::span<const header_field> fields() const noexcept;
  /// What the `part:` lines announce, in the order of the body.
  std::span<const part_info> parts() const noexcept;
  /// Sum of all part sizes.
  std::uint64_t body_size() const noexcept;

  /// SHA-256 over the block without its bcc, for and received lines (docs/message.md section 6).
  const digest& id_digest() const noexcept;

  /// The first value of the header `name`, or nothing. `name` is lower case.
  std::optional<std::string_view> first(std::string_view name) const noexcept;
  /// All values of the header `name`, in order.
  std::vector<std::string_view> all(std::string_view name) const;
  /// All addresses of an address header (to, cc, bcc, for, via, reply-to, from, mailer), in order;
  /// of any other header the values that are addresses.
  std::vector<named_address> addresses(std::string_view name) const;

  /// Who wrote it. Proves nothing by itself.
  named_address from() const;
  /// Who sends it on behalf of `from:`; nothing where he does so himself.
  std::optional<named_address> mailer() const;
  /// `mailer:` if present, otherwise `from:`; whose hostpart the sender must prove
  /// (docs/message.md section 4.1).
  address originator() const;
  /// When it was written, as its author says.
  std::optional<timestamp> date() const;
  std::string_view subject() const noexcept;  ///< Empty where there is none.
  /// How many lines have this name (lower case).
  std::size_t count(std::string_view name) const noexcept;

  /// The envelope: the `for:` addresses where there are any, otherwise to, cc and bcc; each address
  /// once, in order of first appearance. May be empty (a draft; docs/message.md section 4.1).
  std::vector<address> recipients() const;

  /// A copy for one recipient: no `bcc:` or `for:` line but his own (docs/message.md section 6).
  header_block for_recipient(const address& recipient) const;
  /// A copy for one host: no `bcc:` or `for:` line of another hostpart's (docs/message.md
  /// section 6).
  header_block for_host(std::string_view hostpart) const;
  /// A copy with `line` ("name: value", no LF) put after the `ima: 1` line; used for `received:`.
  /// Errors as parse(), `line-control` for an LF among them.
  result<header_block> with_line(std::string_view line, const limits& bounds = {}) const;

 private:
  struct content;
  explicit header_block(std::shared_ptr<const content> c);
  std::shared_ptr<const content> content_;
};

/// What a part is, for header_builder::part().
struct part_description {
  std::uint64_t size = 0;                               ///< Octets.
  digest sha256;                                        ///< Of the part's octets.
  std::string media_type = "application/octet-stream";  ///< `type/subtype`, lower case.
  std::string role;    ///< text, alternative, inline, attachment, or empty.
  std::string cid;     ///< Content id, or empty.
  std::string params;  ///< Media-type parameters as they are written, or empty.
  std::string name;    ///< File name for the recipient, or empty.
};

/// Puts a header block together line by line. `ima: 1` is written first by itself. Not thread-safe.
class IMA_API header_builder {
 public:
  header_builder();

  /// Adds a line; what is wrong with it shows in build().
  header_builder& field(std::string_view name, std::string_view value);
  /// Adds a `part:` line; parts follow in the body in this order.
  header_builder& part(const part_description& part);

  /// Ends the block and checks it by header_block::parse, so a builder cannot make what a reader
  /// would refuse. Errors as parse().
  result<header_block> build(const limits& bounds = {}) const;

 private:
  std::string text_;
  std::optional<error> broken_;  // the first line that cannot be one
};

}  // namespace ima
