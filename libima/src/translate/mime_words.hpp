#pragma once

#include <ima/address.hpp>
#include <ima/date.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What header fields of Internet mail say and how they are written: the only place that asks GMime
// about them. Values are unfolded; texts that come out are UTF-8. Nothing here fails: what cannot
// be understood comes back as far as it can be, or as nothing.

namespace ima::translate {

/// Must have been called before any function of GMime's; every function here does.
void start_gmime();

/// A parameter of a structured field, decoded (RFC 2231, and RFC 2047 where people used that).
struct parameter {
  std::string name;  ///< Lower case.
  std::string value;
};

/// A value with parameters: Content-Type, Content-Disposition.
struct parametrised {
  std::string value;              ///< Lower case, as far as the first `;`.
  std::vector<parameter> params;  ///< Each name once.
  bool complete = true;           ///< False where there were more than that.

  /// The parameter's value, or empty. `name` is lower case.
  std::string_view param(std::string_view name) const noexcept;
};

/// A mailbox as a field names it. `addr` may be anything, also no address at all.
struct mailbox_text {
  std::string name;
  std::string addr;
};

struct mailbox_list {
  std::vector<mailbox_text> mailboxes;  ///< Those in groups too.
  bool groups = false;
  bool comments = false;  ///< There were comments, which are in no name.
  bool complete = true;   ///< False where something in the value could not be read.
};

std::string decode_text(std::string_view value);
/// Seven-bit text that decode_text() reads back.
std::string encode_text(std::string_view text);

/// The same for text that may be long; where that is plain ASCII, and its words are no longer than
/// a line may be, it is left alone.
std::string seven_bit_text(const std::string& text);

mailbox_list parse_mailboxes(std::string_view value);
std::string write_mailbox(const named_address& who);

/// Whether mail can say a parameter of this name: RFC 2045 section 5.1, a token.
bool is_parameter_name(std::string_view name) noexcept;

parametrised parse_parametrised(std::string_view value);
/// `value; name=value…`, seven-bit, by RFC 2231 where needed; without what mail cannot say. Of a
/// name that stands twice the first counts, as when it is read.
std::string write_parametrised(const parametrised& what);

std::optional<timestamp> parse_date(std::string_view value);
std::string write_date(const timestamp& when);

/// The ids between `<` and `>`. `clean` is false where anything else but space stands in the value.
struct id_list {
  std::vector<std::string> ids;
  bool clean = true;
};
id_list parse_ids(std::string_view value);

/// ASCII only.
std::string lower(std::string_view text);
/// "x-foo-bar" as "X-Foo-Bar".
std::string capitalised(std::string_view name);
std::string_view trim(std::string_view text) noexcept;

/// Whether every line of the field, so broken, is at most as long as a line of mail may be (998
/// octets, RFC 5322 section 2.1.1).
bool fits_lines(std::string_view name, std::string_view value);

/// Breaks a field into lines of at most 78 octets where its spaces allow, as it is sent: name,
/// colon, value, line end. Joining the lines again gives the same value.
std::string fold_field(std::string_view name, std::string_view value, std::string_view line_end);

}  // namespace ima::translate
