#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/translate/remark.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::translate {

/// Where messages are kept.
enum class format : std::uint8_t {
  eml,      ///< A file with one message of Internet mail.
  mbox,     ///< A file with many, each behind a "From " line (mboxrd).
  maildir,  ///< A directory with many, with subfolders (Maildir++).
  ima,      ///< A file with one IMA message.
  mailbox,  ///< A mailbox (docs/mailbox.md).
};

/// The format of this name ("eml", "mbox", "maildir", "ima", "mailbox"), or nothing.
IMA_API std::optional<format> format_of(std::string_view name) noexcept;

/// What is translated, and where to.
struct transfer_options {
  format from = format::eml;  ///< How the messages are kept in `in`.
  format to = format::ima;    ///< How they are kept in `out`.
  std::string in = "-";       ///< A path; "-" is standard input, for formats that are files.
  std::string out = "-";      ///< A path; "-" is standard output, for formats that are files.
  limits bounds;              ///< For each message.
  mailbox::options in_box;    ///< How `in` is opened where it is a mailbox.
  mailbox::options out_box;   ///< The same for `out`.
};

/// What became of one message.
struct transferred {
  std::string place;             ///< Where it came from, for people.
  std::vector<remark> remarks;   ///< What the other format cannot say.
  bool already = false;          ///< It was there; nothing was written.
  std::optional<error> problem;  ///< It could not be translated or written; the next one follows.
  bool left_out = false;         ///< It is no mail any more, as a remark says; nothing was written.
};

/// Takes what became of a message; an error of it ends the transfer.
using transfer_report = std::function<result<void>(const transferred&)>;

/// Translates every message of one place into another, in order and in constant memory
/// apart from some 20 octets for each file in a Maildir. Into a Maildir or a
/// mailbox it can be repeated after an interruption: what is there already is recognised and left
/// alone. A file that is written must not exist, and is there only if some message got into it and
/// nothing ended the transfer early.
/// Calls `report`, on the calling thread, for each message: a message that is not reported was not
/// written. Where an error ends it, messages that were reported are in a Maildir, a mailbox or a
/// stream, and not in a file.
///
/// Errors: those of the places: fault::caller `no-input`, `output-exists`, `transfer-out` (many
/// messages for a file of one, or a place into itself); fault::peer `mbox`; fault::temporary
/// `storage`, `output`; those of the mailbox; those of `report`.
IMA_API result<void> transfer(const transfer_options& what, const transfer_report& report);

}  // namespace ima::translate
