#include "service/queued_mail.hpp"

#include "support/try.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace ima::service {
namespace {

bool is_from(const queued_message& message, const std::vector<address>& senders) {
  const auto originator = address::parse(message.originator);
  return originator && std::ranges::find(senders, *originator) != senders.end();
}

// It is gone since, or so damaged that it has no name any more; its sender is told by a report.
bool is_gone(const error& why) { return why.rule == "queue-id" || why.rule == "queue-damaged"; }

// The queue names a message by its whole header block, users name it by its digest.
result<void> add_waiting(const queue& from, const queued_message& message,
                         std::vector<retrieval::queued_message>& list) {
  IMA_TRY(header, from.header(message.id));
  for (const queued_host& host : message.hosts)
    for (const auto& r : host.results) {
      if (r.what != delivery::outcome::defer) continue;
      retrieval::queued_message one{header.id_digest().hex(),
                                    r.recipient,
                                    {message.created, {}},
                                    std::nullopt,
                                    r.text.empty() ? host.problem : r.text};
      if (!message.held) one.next = timestamp{host.next, {}};
      list.push_back(std::move(one));
    }
  return {};
}

}  // namespace

result<std::vector<retrieval::queued_message>> queued_mail(const queue& from,
                                                           const std::vector<address>& senders,
                                                           std::size_t limit) {
  std::vector<retrieval::queued_message> list;
  IMA_TRY(ids, from.ids());
  for (const std::string& id : ids) {
    const auto message = from.read(id);
    if (!message && is_gone(message.error())) continue;
    if (!message) return message.error();
    if (!is_from(*message, senders)) continue;
    if (auto added = add_waiting(from, *message, list); !added && !is_gone(added.error()))
      return added.error();
  }
  std::ranges::sort(list, {}, [](const auto& one) { return one.since.at; });
  if (list.size() > limit)
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(limit), list.end());
  return list;
}

}  // namespace ima::service
