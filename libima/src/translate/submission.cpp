#include "service/command.hpp"
#include "service/spool.hpp"
#include "support/try.hpp"
#include "translate/escape.hpp"
#include "translate/fields.hpp"
#include "translate/mime_words.hpp"

#include <ima/service/compose.hpp>
#include <ima/translate/message_to_mime.hpp>
#include <ima/translate/submission.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace ima::translate {
namespace {

error no_address(const std::string& text) {
  return {fault::caller, "recipient-address", text, "is no address that a message can be sent to"};
}

// Whoever is named without a host is at ours.
result<address> address_at(const std::string& text, const std::string& host) {
  const bool whole = host.empty() || text.find('@') != std::string::npos;
  if (auto addr = address_of(whole ? text : text + "@" + host)) return std::move(*addr);
  return no_address(text);
}

// The sender as a program or a mail system gives it: bare, or with a display name.
result<address> sender_address(const std::string& text, const std::string& host) {
  const mailbox_list list = parse_mailboxes(text);
  if (list.mailboxes.size() != 1 || !list.complete) return no_address(text);
  return address_at(list.mailboxes[0].addr, host);
}

struct recipient_list {
  std::vector<address> all;
  std::set<std::string> keys;

  void add(const address& one) {
    if (keys.insert(one.key()).second) all.push_back(one);
  }
};

// Everybody whom a field or an argument names, or nobody.
result<void> add_all(const std::string& value, const std::string& host, recipient_list& out) {
  const mailbox_list list = parse_mailboxes(value);
  for (const mailbox_text& each : list.mailboxes) {
    IMA_TRY(addr, address_at(each.addr, host));
    out.add(addr);
  }
  return list.complete ? result<void>() : no_address(value);
}

result<recipient_list> recipients_of(const outgoing_mail& mail, const sendmail_request& request,
                                     const std::string& host) {
  recipient_list out;
  for (const std::string& text : request.recipients) {
    if (trim(text).empty()) return no_address(text);
    IMA_CHECK(add_all(text, host, out));
  }
  if (request.from_fields) {
    IMA_TRY(fields, mail.recipient_fields());
    for (const std::string& value : fields) IMA_CHECK(add_all(value, host, out));
  }
  if (out.all.empty())
    return error{fault::caller, "no-recipients", "", "nobody is named to send the mail to"};
  return out;
}

// Nobody more and nobody less than everybody sees.
bool are_visible(const header_block& mail, const recipient_list& recipients) {
  std::set<std::string> seen;
  for (const char* name : {"to", "cc"})
    for (const named_address& one : mail.addresses(name)) seen.insert(one.addr.key());
  return seen == recipients.keys;
}

result<named_address> author_of(const header_block& mail, const sendmail_request& request,
                                const submission_rules& rules) {
  named_address from = mail.from();
  if (from.addr.text() != unknown_author) return from;
  if (!request.sender.empty() && request.sender != "<>") {
    IMA_TRY(addr, sender_address(request.sender, rules.host));
    from.addr = addr;
  } else {
    IMA_TRY(author, service::address_from_person(rules.author));
    from.addr = author.addr;
    if (from.display_name.empty()) from.display_name = author.display_name;
  }
  if (!request.author_name.empty()) from.display_name = request.author_name;
  return from;
}

// Who sends on what another wrote (RFC 5322 section 3.6.6), if somebody does.
std::optional<named_address> resender_of(const header_block& mail, const address& author) {
  const auto field = mail.first("resent-from");
  const mailbox_list list = field ? parse_mailboxes(*field) : mailbox_list();
  if (list.mailboxes.empty()) return std::nullopt;
  const auto addr = address_of(list.mailboxes[0].addr);
  if (!addr || addr->key() == author.key()) return std::nullopt;
  return named_address{fit_line(list.mailboxes[0].name, 500).text, *addr};
}

bool passed(const header_block& mail, const address& who) {
  const auto via = mail.all("via");
  return std::any_of(via.begin(), via.end(), [&](std::string_view text) {
    const auto one = address::parse(text);
    return one && one->key() == who.key();
  });
}

// A command's input, from the front of what was put aside.
service::command_input input_from(const service::spool& kept) {
  return
      [&kept, at = std::uint64_t{0}](char* into, std::size_t size) mutable -> result<std::size_t> {
        IMA_TRY(count, kept.read_at(at, into, size));
        at += count;
        return count;
      };
}

// As SMTP writes it. sendmail(8) takes lists, and comments, in its arguments, so that what may be
// one of these is quoted.
result<std::string> smtp_address(std::string_view text) {
  const auto bad = [&](const char* why) {
    return error{fault::refused, "smtp-address", std::string(text), why};
  };
  const auto addr = address::parse(text);
  if (!addr) return bad("is not one address");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c < ' ' || c >= 0x7f; }))
    return bad("cannot be said in SMTP, which is ASCII");
  return write_mailbox({"", *addr});
}

bool sends_for_itself(const address& sender, const submission_rules& rules) {
  return rules.mailer.empty() || std::find(rules.domains.begin(), rules.domains.end(),
                                           sender.host()) != rules.domains.end();
}

}  // namespace

result<header_block> submission_header(const header_block& translated, const outgoing_mail& mail,
                                       const sendmail_request& request,
                                       const submission_rules& rules, timestamp now,
                                       const limits& bounds) {
  if (translated.count("received") >= bounds.received)
    return error{fault::refused, "mail-loop", "", "the mail has come round too often"};
  IMA_TRY(recipients, recipients_of(mail, request, rules.host));
  IMA_TRY(from, author_of(translated, request, rules));
  header_builder builder;
  if (!translated.first("id")) {
    IMA_TRY(id, service::new_message_id(from.addr.host()));
    builder.field("id", id);
  }
  if (!translated.date()) builder.field("date", now.text());
  const auto resender = resender_of(translated, from.addr);
  std::string mailer = resender ? resender->text() : std::string();
  if (!sends_for_itself(resender ? resender->addr : from.addr, rules)) mailer = rules.mailer;
  if (!mailer.empty()) builder.field("mailer", mailer);
  if (resender && !passed(translated, resender->addr)) builder.field("via", resender->addr.text());
  if (request.sender == "<>" && !translated.first("auto")) builder.field("auto", "report");
  if (resender || !are_visible(translated, recipients))
    for (const address& one : recipients.all) builder.field("for", one.text());
  for (const header_field& f : translated.fields()) {
    if (f.name == "ima" || f.name == "bcc" || f.name == "for") continue;
    if (f.name == "from")
      builder.field("from", from.text());
    else if (f.name == "mailer" && !mailer.empty())
      builder.field("mime-field", "Sender: " + std::string(f.value));
    else
      builder.field(f.name, f.value);
  }
  return builder.build(bounds);
}

result<int> submit(const std::vector<std::string>& command, const header_block& header,
                   mime_to_message& mail, const output_line& line) {
  IMA_TRY(kept, service::spool::create());
  IMA_CHECK(kept.append(header.text()));
  IMA_CHECK(mail.write_body([&](octets piece) { return kept.append(piece); }));
  IMA_TRY(end, service::run({command, {}, std::chrono::minutes(15)}, input_from(kept), line));
  return end.status;
}

result<int> send_as_mail(const std::vector<std::string>& sendmail, const header_block& header,
                         body_source& body, std::string_view recipient, const output_line& line,
                         const limits& bounds, std::vector<remark>* remarks) {
  IMA_TRY(from, header.first("auto") ? result<std::string>("<>")
                                     : smtp_address(header.originator().text()));
  IMA_TRY(to, smtp_address(recipient));
  IMA_TRY(mail, message_to_mime::translate(header, body, bounds));
  if (remarks != nullptr) remarks->assign(mail.remarks().begin(), mail.remarks().end());
  IMA_TRY(kept, service::spool::create());
  IMA_CHECK(mail.write([&](octets piece) { return kept.append(piece); }));
  std::vector<std::string> arguments = sendmail;
  for (const char* word : {"-i", "-f"}) arguments.emplace_back(word);
  arguments.push_back(std::move(from));
  arguments.emplace_back("--");
  arguments.push_back(std::move(to));
  IMA_TRY(end, service::run({arguments, {}, std::chrono::minutes(15)}, input_from(kept), line));
  return end.status;
}

}  // namespace ima::translate
