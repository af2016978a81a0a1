#include "mirror/failures.hpp"
#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <functional>
#include <utility>

// Brings messages that are not here. What one message cannot be had for stops no other.

namespace ima::mirror {
namespace {

constexpr std::size_t headers_at_once = 50;  // at most so many header blocks are in memory

}  // namespace

// A refusal is of the first message that was not answered (docs/retrieval.md section 5.5). As not
// every answer is told here, which one that is shows when the next is asked for alone.
result<void> mirror::state::headers(const std::string& folder, std::span<const std::string> ids,
                                    const take_header& take, const on_failure& failed) {
  for (bool alone = false; !ids.empty();) {
    const auto asked = alone ? ids.first(1) : ids.first(std::min(ids.size(), headers_at_once));
    std::size_t answered = 0;
    auto got = remote_.headers(
        folder, asked, [&](std::string_view id, octets block, octets record) -> result<void> {
          answered = static_cast<std::size_t>(std::ranges::find(asked, id) - asked.begin()) + 1;
          return take(id, block, record);
        });
    if (!got && !is_of_message(got.error())) return got;
    if (!got && alone) failed(asked.front(), got.error());
    ids = ids.subspan(got || alone ? asked.size() : answered);
    alone = !got && !alone;
  }
  return {};
}

result<void> mirror::state::fetch_all(folder_end& end, std::span<const retrieval::entry> entries,
                                      const on_message& report) {
  while (!entries.empty()) {
    const auto some = entries.first(std::min(headers_at_once, entries.size()));
    entries = entries.subspan(some.size());
    IMA_CHECK(fetch_some(end, some, report));
  }
  return {};
}

result<void> mirror::state::fetch_some(folder_end& end, std::span<const retrieval::entry> entries,
                                       const on_message& report) {
  std::vector<std::string> ids;
  for (const auto& entry : entries) ids.push_back(entry.id);
  const auto entry_of = [&](std::string_view id) -> const retrieval::entry& {
    return *std::ranges::find(entries, id, &retrieval::entry::id);
  };
  std::vector<fetched_header> got;
  const auto take = [&](std::string_view id, octets block, octets record) -> result<void> {
    got.push_back({std::string(id), std::string(block), std::string(record)});
    return {};
  };
  const auto failed = [&](const std::string& id, const error& why) {
    miss(end, entry_of(id), why);
  };
  IMA_CHECK(headers(end.folder, ids, take, failed));
  std::vector<own_changes::change> coming;
  for (const fetched_header& header : got)
    coming.push_back({header.id, {}, end.folder, entry_of(header.id).flags});
  IMA_CHECK(will_do(coming));
  for (const fetched_header& header : got) {
    const retrieval::entry& entry = entry_of(header.id);
    const auto here = fetch(end, entry, header, report);
    if (!here && here.error().rule == unavailable)
      miss(end, entry, here.error());
    else if (!here && here.error().rule != "no-message")  // as that means: gone since
      return here.error();
    else if (here && *here && options_.delete_after)
      end.brought.push_back(entry.id);
  }
  IMA_CHECK(local_.take_in());
  return {};
}

void mirror::state::miss(folder_end& end, const retrieval::entry& entry, const error& why) {
  end.missed[entry.id] = entry;
  const std::string text = why.rule == unavailable ? why.text : why.message();
  failures_.push_back({why.kind, unavailable, end.folder + "/" + entry.id, text});
}

// True where it is here now, or was and was deleted here.
result<bool> mirror::state::fetch(folder_end& end, const retrieval::entry& entry,
                                  const fetched_header& got, const on_message& report) {
  const auto header = header_block::parse(got.block, options_.bounds);
  if (!header) return unavailable_for(entry.id, header.error());
  if (!entry.id.starts_with(header->id_digest().hex()))
    return broken(entry.id, "header-id", "the header block is another message's");
  IMA_TRY(wanted, is_wanted(end, entry, *header));
  if (!wanted) return true;
  const mailbox::record note = note_of(got.record, end.folder, entry);
  IMA_CHECK(notes_.set_origins(entry.id, {}));  // of one that was here long ago
  IMA_TRY(id, store(end.folder, entry, *header, note));
  if (end.compare) end.named.insert(std::hash<std::string>()(id));
  ++so_far_.messages;
  report({end.folder, entry.id, note.verified_domain,
          std::string(header->first("from").value_or("")), std::string(header->subject())});
  return true;
}

// Not where it was deleted here; but that comes back where both sides are to be the same and the
// deletion does not go there in this run, and where nobody knows whether a copy, which leaves no
// tombstone, was deleted or lost.
result<bool> mirror::state::is_wanted(const folder_end& end, const retrieval::entry& entry,
                                      const header_block& header) {
  IMA_TRY(had, is_copy(entry.id) ? had_copy(end.folder, entry.id, header)
                                 : mailbox::contains(mailbox::posix_file_system(), options_.path,
                                                     header.id_digest()));
  if (!had) return true;
  IMA_TRY(id, notes_.local_id(entry.id));
  IMA_TRY(here, local_.find(end.folder, id));
  const bool comes_back = options_.two_way || (is_copy(entry.id) && !end.known);
  if (here || !comes_back || end.mine.contains(id)) return false;
  IMA_CHECK(notes_.unpair(id));
  IMA_CHECK(local_.forget_deletion(std::span(&id, 1)));
  return true;
}

// A copy is known by its note; where that was damaged, by what it says itself of its origin.
result<bool> mirror::state::had_copy(const std::string& folder, const std::string& id,
                                     const header_block& header) {
  IMA_TRY(known, notes_.local_id(id));
  if (!known.empty()) return true;
  IMA_TRY(left, local_.find(folder, header.id_digest()));
  if (!left || !is_copy(left->id)) return false;
  const auto stored = local_.header(folder, left->id);
  if (!stored || !*stored ||
      mailbox::record_value((*stored)->record, "origin") != notes_.origin(id))
    return false;
  IMA_CHECK(notes_.pair(id, left->id));
  return true;
}

mailbox::record mirror::state::note_of(octets record, const std::string& folder,
                                       const retrieval::entry& entry) const {
  mailbox::record note;
  note.verified_domain = mailbox::record_value(record, "verified-domain");
  note.peer = mailbox::record_value(record, "peer");
  note.tls = mailbox::record_value(record, "tls");
  note.recipient = mailbox::record_value(record, "recipient");
  const auto received = timestamp::parse(mailbox::record_value(record, "received"));
  note.received = received ? *received : entry.arrived;
  note.folder = folder;
  note.flags = entry.flags;
  note.origin = notes_.origin(entry.id);
  return note;
}

// Returns the id that the message has here.
result<std::string> mirror::state::store(const std::string& folder, const retrieval::entry& entry,
                                         const header_block& header, const mailbox::record& note) {
  auto into = mailbox::delivery::begin(mailbox::posix_file_system(), header,
                                       {{options_.path, std::nullopt, note, is_copy(entry.id)}});
  if (!into && into.error().kind == fault::caller)  // what the post office gave as its record
    return unavailable_for(entry.id, into.error());
  if (!into) return into.error();
  if (is_copy(entry.id)) IMA_CHECK(notes_.expect(entry.id, into->id(0)));
  IMA_CHECK(receive_parts(folder, entry.id, header, *into));
  const auto stored = into->commit();
  if (!stored.front()) return stored.front().error();
  if (is_copy(entry.id)) IMA_CHECK(notes_.pair(entry.id, stored.front()->id));
  downloads_.remove(entry.id, header.parts().size());
  return stored.front()->id;
}

}  // namespace ima::mirror
