#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace ima {

/// A mail address, `local@host` (docs/message.md section 3).
///
/// The local part is UTF-8 without controls, space, `<`, `>` or `@`, 1 to 128 octets. The hostpart
/// is a DNS name of lower-case A-labels. A value: copies are independent, and many threads may read
/// one; views point into it and live until it is assigned to, moved from or destroyed. Addresses
/// compare after ASCII case folding of the local part; they never become paths.
class IMA_API address {
 public:
  /// Parses `text` strictly. Errors: fault::peer, rules `address-syntax`, `address-local`,
  /// `hostpart`.
  static result<address> parse(std::string_view text);

  /// The whole address as it was written.
  std::string_view text() const noexcept { return text_; }
  /// What stands before the `@`, as it was written.
  std::string_view local() const noexcept { return text().substr(0, at_); }
  /// The hostpart in its wire form: A-labels, lower case.
  std::string_view host() const noexcept { return text().substr(at_ + 1); }

  /// The folded text, the same for addresses that compare equal; for use as a key.
  std::string key() const;

  friend IMA_API bool operator==(const address& a, const address& b) noexcept;

 private:
  address(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::string text_;
  std::size_t at_;
};

/// An address with the display name that may stand before it: `Bob <bob@b.example>`.
struct IMA_API named_address {
  std::string display_name;  ///< Empty where there is none.
  address addr;  ///< The address itself, by which addresses are compared and mail is sent.

  /// Parses `address` or `display name <address>` (docs/message.md section 3). Errors as
  /// address::parse, and `display-name`.
  static result<named_address> parse(std::string_view text);

  /// The header form, which parse() reads back.
  std::string text() const;

  friend bool operator==(const named_address&, const named_address&) = default;
};

/// Checks that `host` is a hostpart as it stands on the wire: dot-separated labels of lower-case
/// letters, digits and inner hyphens, 1 to 63 octets each, 253 in all, the last label not all
/// digits (so never an IP address; docs/message.md section 3). Error: fault::peer, rule `hostpart`.
IMA_API result<void> check_hostpart(std::string_view host);

/// Turns what a person types (`Bücher.example`, any case) into the wire form of a hostpart
/// (IDNA 2008 with UTS 46 mapping). Where libima was built without libidn2, only ASCII has one, and
/// the text of the error says so. Error: fault::caller, rule `hostpart`.
IMA_API result<std::string> hostpart_from_unicode(std::string_view host);

/// Turns a wire hostpart into what a person reads; returns it unchanged where it has no U-label
/// form, or where libima was built without libidn2.
IMA_API std::string hostpart_to_unicode(std::string_view host);

}  // namespace ima
