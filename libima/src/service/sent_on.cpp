#include "service/sent_on.hpp"

#include <ima/service/incoming.hpp>

#include <algorithm>

namespace ima::service {

bool went_through(const header_block& header, const address& alias) {
  const auto via = header.addresses("via");
  return std::any_of(via.begin(), via.end(),
                     [&](const named_address& each) { return each.addr == alias; });
}

std::size_t room_for_members(const header_block& header, const limits& bounds) {
  const std::size_t kept = header.count("to") + header.count("cc");
  return kept < bounds.recipients ? bounds.recipients - kept : 0;
}

result<header_block> sent_on(const header_block& header, const address& alias,
                             std::span<const address> to, limits bounds) {
  header_builder made;
  made.field("mailer", alias.text()).field("via", alias.text());
  for (const address& each : to) made.field("for", each.text());
  for (const header_field& f : header.fields())
    if (f.name != "ima" && f.name != "mailer" && f.name != "bcc" && f.name != "for")
      made.field(f.name, f.value);
  bounds.recipients += to.size();
  bounds.header_block += bounds.header_line + to.size() * bounds.header_line;
  return made.build(with_room_for_received(bounds));
}

}  // namespace ima::service
