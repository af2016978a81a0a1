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
  for (const auto& r : host.results) {
    if (r.what != delivery::outcome::fail && r.what != delivery::outcome::no_recipient) continue;
    text += fmt::format("{}\n    {}\n", r.recipient.text(), reason_of(r));
  }
  if (!host.problem.empty())
    text += fmt::format("\nThe last try at {} ended so:\n    {}\n", hostpart_to_unicode(host.host),
                        printable(host.problem));
  return text + "\nIts header block is attached. Nothing more will be tried.\n";
}

part_description describe(octets part, std::string type) {
  part_description d;
  d.size = part.size();
  d.sha256 = digest::of(part);
  d.media_type = std::move(type);
  return d;
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
  const address originator = original.originator();
  const std::string text = reasons(host);
  part_description header = describe(original.text(), "text/plain");
  header.role = "attachment";
  header.name = "header.ima";
  header_builder builder;
  // No chance and no clock: made again after a crash, it must be the same message.
  builder
      .field("id",
             fmt::format("report-{}-{}@{}", id,
                         digest::of(host.host + ' ' + text).hex().substr(0, 16), originator.host()))
      .field("date", timestamp{host.changed, {}}.text())
      .field("from", fmt::format("postmaster@{}", originator.host()))
      .field("to", originator.text())
      .field("auto", "report");
  if (const auto about = original.first("id")) builder.field("in-reply-to", *about);
  builder.field("subject",
                original.subject().empty()
                    ? "Not delivered"
                    : fmt::format("Not delivered: {}",
                                  wire::clean_text(original.subject(), longest_subject)));
  IMA_TRY(made, builder.part(describe(text, "text/plain")).part(header).build());
  return small_message(std::move(made), text + std::string(original.text()));
}

}  // namespace ima::service
