#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/date.hpp>
#include <ima/service/failure_report.hpp>

#include <fmt/format.h>

namespace ima::service {
namespace {

constexpr std::size_t longest_subject = 512;

// Text from elsewhere, one line of it.
std::string reason_of(const delivery::recipient_result& r) {
  if (!r.text.empty()) return printable(r.text);
  return r.what == delivery::outcome::no_recipient ? "there is no such address" : "refused";
}

std::string reasons(const queued_host& host) {
  std::string text = "Your message could not be delivered to:\n\n";
  if (host.results.empty())
    text += fmt::format("everybody at {}\n    their names are lost\n", host.host);
  for (const auto& r : host.results) {
    if (r.what != delivery::outcome::fail && r.what != delivery::outcome::no_recipient) continue;
    text += fmt::format("{}\n    {}\n", r.recipient.text(), reason_of(r));
  }
  if (!host.problem.empty())
    text += fmt::format("\nThe last try at {} ended so:\n    {}\n", hostpart_to_unicode(host.host),
                        printable(host.problem));
  return text;
}

part_description describe(octets part, std::string type) {
  part_description d;
  d.size = part.size();
  d.sha256 = digest::of(part);
  d.media_type = std::move(type);
  return d;
}

part_description describe_attachment(octets header) {
  part_description d = describe(header, "text/plain");
  d.role = "attachment";
  d.name = "header.ima";
  return d;
}

// No value ends with a space, also where this cuts it.
std::string subject_of(const header_block& original) {
  std::string about = wire::clean_text(original.subject(), longest_subject);
  about.erase(about.find_last_not_of(' ') + 1);
  return about.empty() ? "Not delivered" : "Not delivered: " + about;
}

// An id may be so long that it fits its own line and not this longer one.
bool fits(std::string_view name, std::string_view value) {
  return name.size() + 2 + value.size() < limits{}.header_line;
}

// All but the subject, parts and what it answers. No chance and no clock: made again after a crash,
// it must be the same message.
header_builder begin_report(const address& originator, std::string_view id, const queued_host& host,
                            const std::string& text) {
  header_builder builder;
  builder
      .field("id",
             fmt::format("report-{}-{}@{}", id,
                         digest::of(host.host + ' ' + text).hex().substr(0, 16), originator.host()))
      .field("date", timestamp{host.changed, {}}.text())
      .field("from", fmt::format("postmaster@{}", originator.host()))
      .field("to", originator.text())
      .field("auto", "report");
  return builder;
}

}  // namespace

result<void> small_message::read_at(std::uint64_t offset, char* buffer, std::size_t size) {
  if (offset > body_.size() || size > body_.size() - offset)
    return error{fault::temporary, "storage", "", "the message is shorter"};
  body_.copy(buffer, size, static_cast<std::size_t>(offset));
  return {};
}

result<small_message> failure_report(const header_block& original, std::string_view id,
                                     const queued_host& host) {
  const bool attached = original.size() <= limits{}.header_block;
  const std::string text = fmt::format("{}\n{}Nothing more will be tried.\n", reasons(host),
                                       attached ? "Its header block is attached. " : "");
  header_builder builder = begin_report(original.originator(), id, host, text);
  if (const auto about = original.first("id"); about && fits("in-reply-to", *about))
    builder.field("in-reply-to", *about);
  builder.field("subject", subject_of(original)).part(describe(text, "text/plain"));
  if (attached) builder.part(describe_attachment(original.text()));
  IMA_TRY(made, builder.build());
  return small_message(std::move(made),
                       text + std::string(attached ? original.text() : std::string_view()));
}

result<small_message> failure_report(const address& originator, std::string_view id,
                                     const queued_host& host) {
  const std::string text =
      reasons(host) +
      "\nThe message was damaged on our disk: what it was, and who else was to "
      "get it, is lost.\nNothing more will be tried.\n";
  header_builder builder = begin_report(originator, id, host, text);
  builder.field("subject", "Not delivered");
  IMA_TRY(made, builder.part(describe(text, "text/plain")).build());
  return small_message(std::move(made), text);
}

}  // namespace ima::service
