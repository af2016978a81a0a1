#pragma once

#include <ima/date.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/translate/mime_to_message.hpp>
#include <ima/translate/outgoing_mail.hpp>
#include <ima/translate/remark.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ima::translate {

/// What a program that calls sendmail(8) asks for.
struct sendmail_request {
  std::vector<std::string> recipients;  ///< As arguments.
  bool from_fields = false;             ///< -t: also those in To, Cc and Bcc.
  bool dot_ends = true;                 ///< Without -i: a line of one dot ends the mail.
  std::string sender;                   ///< -f: empty where not given, "<>" for nobody.
  std::string author_name;              ///< -F
  std::string settings;                 ///< -C: a file.
  bool help = false;                    ///< --help
  bool version = false;                 ///< --version
};

/// Reads sendmail's command line (docs/man/ima-sendmail.1.scd). Error: fault::caller
/// `sendmail-option`: an option that is unknown, or asks for what is not done here (-bs, -bp, …).
IMA_API result<sendmail_request> read_sendmail_arguments(const std::vector<std::string>& arguments);

/// What the settings say about submitted mail.
struct submission_rules {
  std::string author;  ///< Who calls, maybe with a name, where the mail does not name an author.
  std::string mailer;  ///< Address that sends for authors of other domains; or empty.
  std::vector<std::string> domains;  ///< Hostparts whose authors send for themselves.
  std::string
      host;  ///< The hostpart of names without one, as cron's root; empty: they are refused.
};

/// The header block with which `mail` is submitted, made of what it was translated to: an author,
/// an id and a date are there, recipients are those asked for, and hidden ones are in `for:` lines
/// alone. Errors: fault::caller `no-recipients`, `recipient-address` (an address that a message
/// cannot express); fault::refused `mail-loop` (as many `received:` lines as there may be); those
/// of outgoing_mail::recipient_fields and header_block::parse.
IMA_API result<header_block> submission_header(const header_block& translated,
                                               const outgoing_mail& mail,
                                               const sendmail_request& request,
                                               const submission_rules& rules, timestamp now,
                                               const limits& bounds = {});

/// Takes a line that a command wrote.
using output_line = std::function<void(std::string_view line)>;

/// Runs a command with the message on its standard input; returns its exit status, or -1 where it
/// was ended: by a signal, or by us after 15 minutes. Blocks. Errors: fault::temporary
/// `command-start`, `storage`; those of the mail.
IMA_API result<int> submit(const std::vector<std::string>& command, const header_block& header,
                           mime_to_message& mail, const output_line& line);

/// Gives a message as mail to a sendmail(8) command, for one recipient; returns the command's exit
/// status, or -1 as submit(). The mail's sender is the message's originator, or nobody for
/// automatic messages; both are quoted where SMTP wants it. Errors: fault::refused `smtp-address`
/// (no address, or a local part that SMTP without extensions cannot say); fault::temporary
/// `command-start`, `storage`; those of message_to_mime::translate(). `remarks`, where given, gets
/// what mail cannot say.
IMA_API result<int> send_as_mail(const std::vector<std::string>& sendmail,
                                 const header_block& header, body_source& body,
                                 std::string_view recipient, const output_line& line,
                                 const limits& bounds = {}, std::vector<remark>* remarks = nullptr);

}  // namespace ima::translate
