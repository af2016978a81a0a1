#include "mirror.hpp"

#include <ima/digest.hpp>
#include <ima/message.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace ima::tools {
namespace {

constexpr std::uint64_t page = 1000;
constexpr std::size_t headers_at_once = 50;  // at most so many header blocks are in memory
constexpr std::size_t digest_digits = 64;
constexpr std::uint64_t resumable = 256 * 1024;  // smaller parts are not worth a file of their own

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// The words of `from` that `other` lacks.
std::vector<std::string> without(const std::vector<std::string>& from,
                                 const std::vector<std::string>& other) {
  std::vector<std::string> out;
  std::ranges::copy_if(from, std::back_inserter(out),
                       [&](const std::string& word) { return !contains(other, word); });
  return out;
}

mailbox::record note_of(octets record, const std::string& folder, const retrieval::entry& entry) {
  mailbox::record note;
  note.verified_domain = record_value(record, "verified-domain");
  note.peer = record_value(record, "peer");
  note.tls = record_value(record, "tls");
  note.recipient = record_value(record, "recipient");
  const auto received = timestamp::parse(record_value(record, "received"));
  note.received = received ? *received : entry.arrived;
  note.folder = folder;
  note.flags = entry.flags;
  return note;
}

result<void> read_all(const partial_download& from,
                      const net::retrieval_client::take_octets& take) {
  std::vector<char> buffer(64 * 1024);
  for (std::uint64_t at = 0; at < from.size();) {
    const auto count = from.read_at(at, buffer.data(), buffer.size());
    if (!count) return count.error();
    if (*count == 0) return error{fault::temporary, "storage", "", "a download was cut short"};
    if (auto good = take(octets(buffer.data(), *count)); !good) return good;
    at += *count;
  }
  return {};
}

// A copy's id is not the digest alone, and a mailbox gives it one of its own.
bool is_copy(std::string_view id) { return id.size() != digest_digits; }

}  // namespace

std::string_view record_value(octets record, std::string_view name) {
  while (!record.empty()) {
    const octets line = record.substr(0, record.find('\n'));
    record.remove_prefix(std::min(record.size(), line.size() + 1));
    if (line.starts_with(name) && line.substr(name.size()).starts_with(": "))
      return line.substr(name.size() + 2);
  }
  return {};
}

// sync_state() names are short and folders' names may not be.
std::string mirror::state_name(std::string_view folder) const {
  return digest::of(options_.source + "\n" + std::string(folder)).hex();
}

std::string mirror::here_name(std::string_view folder) const {
  return digest::of("here\n" + options_.source + "\n" + std::string(folder)).hex();
}

result<std::string> mirror::local_id(const std::string& remote_id) {
  if (!is_copy(remote_id)) return remote_id;
  return local_.sync_state(state_name(remote_id));
}

result<void> mirror::update(const on_message& report, const on_progress& progress) {
  progress_ = &progress;
  so_far_ = {};
  touched_.clear();
  states_.clear();
  // A run that was killed may have left messages that are not taken in, and cannot be removed so.
  if (const auto taken = local_.take_in(); !taken) return taken.error();
  const auto folders = choose_folders();
  if (!folders) return folders.error();
  if (auto good = make_folders(*folders); !good) return good;
  std::vector<folder_end> ends;
  for (const auto& folder : *folders) {
    auto end = bring(folder.name, report);
    if (!end) return end.error();
    ends.push_back(*std::move(end));
  }
  for (folder_end& end : ends)
    if (auto good = finish(end); !good) return good;
  downloads_.remove_all();
  return {};
}

result<std::vector<retrieval::folder_info>> mirror::choose_folders() {
  auto all = remote_.folders();
  if (!all || options_.folders.empty()) return all;
  std::vector<retrieval::folder_info> chosen;
  for (const std::string& name : options_.folders) {
    const auto found = std::ranges::find(*all, name, &retrieval::folder_info::name);
    if (found == all->end())
      return error{fault::refused, "no-folder", name, "the post office has no such folder"};
    chosen.push_back(*found);
  }
  return chosen;
}

result<void> mirror::make_folders(const std::vector<retrieval::folder_info>& folders) {
  const auto here = local_.folders();
  if (!here) return here.error();
  folders_.clear();
  for (const auto& folder : *here) folders_.push_back(folder.name);
  for (const auto& folder : folders) {
    if (contains(folders_, folder.name)) continue;
    if (auto made = local_.create_folder(folder.name, folder.role); !made) return made;
    folders_.push_back(folder.name);
  }
  return {};
}

result<retrieval::change_page> mirror::next_page(const std::string& folder, std::string& token) {
  auto got = remote_.changes(folder, token, page);
  if (got || got.error().rule != "resync" || token == retrieval::first_token) return got;
  token = retrieval::first_token;
  return remote_.changes(folder, token, page);
}

result<mirror::folder_end> mirror::bring(const std::string& folder, const on_message& report) {
  so_far_.folder = folder;
  auto kept = local_.sync_state(state_name(folder));
  if (!kept) return kept.error();
  folder_end end{folder, {}, kept->empty() ? std::string(retrieval::first_token) : *kept, {}, {}};
  std::vector<local_change> here;
  if (options_.two_way) {
    auto state = local_.sync_state(here_name(folder));
    if (!state) return state.error();
    end.here = *std::move(state);
    auto changes = changes_here(end);
    if (!changes) return changes.error();
    here = *std::move(changes);
  }
  for (bool more = true; more;) {
    auto got = next_page(folder, end.token);
    if (!got) return got.error();
    if (got->more && got->token == end.token)
      return error{fault::peer, "no-progress", folder, "the post office gives the same page again"};
    if (auto good = bring_page(end, *got, report); !good) return good.error();
    more = got->more;
  }
  if (auto good = push(folder, here); !good) return good.error();
  return end;
}

result<void> mirror::bring_page(folder_end& end, retrieval::change_page& got,
                                const on_message& report) {
  auto wanted = missing(end, got.changes);
  if (!wanted) return wanted.error();
  const std::span<const retrieval::entry> all(*wanted);
  for (std::size_t at = 0; at < all.size(); at += headers_at_once) {
    const auto some = all.subspan(at, std::min(headers_at_once, all.size() - at));
    if (auto good = fetch(end, some, report); !good) return good;
  }
  end.token = std::move(got.token);
  return {};
}

result<std::vector<retrieval::entry>> mirror::missing(folder_end& end,
                                                      std::vector<retrieval::change>& changes) {
  std::vector<retrieval::entry> wanted;
  for (retrieval::change& change : changes) {
    if (!change.present) {
      end.gone.insert(std::move(change.id));
      continue;
    }
    end.gone.erase(change.id);  // it came back
    const auto here = adapt(end.folder, *change.present);
    if (!here) return here.error();
    if (!*here)
      wanted.push_back(*std::move(change.present));
    else if (options_.delete_after)
      end.brought.push_back(std::move(change.id));  // an earlier run was stopped before it could
  }
  return wanted;
}

// Gives a message that is here already its folder and flags; false where it is not here.
result<bool> mirror::adapt(const std::string& folder, const retrieval::entry& entry) {
  const auto id = local_id(entry.id);
  if (!id) return id.error();
  if (id->empty()) return false;
  for (const std::string& name : folders_) {
    const auto found = local_.find(name, *id);
    if (!found) return found.error();
    if (!*found) continue;
    if (name != folder) {
      const auto moved = local_.move(name, folder, std::span(&*id, 1));
      if (!moved) return moved.error();
    }
    if (auto good = set_flags(folder, **found, entry); !good) return good.error();
    touch(*id);
    return true;
  }
  return false;
}

result<void> mirror::set_flags(const std::string& folder, const mailbox::entry& here,
                               const retrieval::entry& there) {
  const mailbox::flag_change what{without(there.flags, here.flags),
                                  without(here.flags, there.flags), std::nullopt};
  if (what.add.empty() && what.remove.empty()) return {};
  const auto done = local_.set_flags(folder, std::span(&here.id, 1), what);
  return done ? result<void>() : done.error();
}

result<void> mirror::fetch(folder_end& end, std::span<const retrieval::entry> entries,
                           const on_message& report) {
  std::vector<std::string> ids;
  for (const auto& entry : entries) ids.push_back(entry.id);
  std::vector<fetched_header> headers;
  const auto got = remote_.headers(
      end.folder, ids, [&](std::string_view id, octets block, octets record) -> result<void> {
        headers.push_back({std::string(id), std::string(block), std::string(record)});
        return {};
      });
  if (!got) return got;
  auto next = headers.begin();
  for (const auto& entry : entries) {
    if (next == headers.end() || next->id != entry.id) continue;  // gone since
    auto good = fetch(end.folder, entry, *next++, report);
    if (!good && good.error().rule != "no-message") return good;  // as that means: gone since
    if (good && options_.delete_after) end.brought.push_back(entry.id);
  }
  const auto taken = local_.take_in();
  return taken ? result<void>() : taken.error();
}

result<void> mirror::fetch(const std::string& folder, const retrieval::entry& entry,
                           const fetched_header& got, const on_message& report) {
  const auto header = header_block::parse(got.block, options_.bounds);
  if (!header) return header.error();
  if (!entry.id.starts_with(header->id_digest().hex()))
    return error{fault::peer, "header-id", entry.id, "the header block is another message's"};
  mailbox::file_system& disk = mailbox::posix_file_system();
  if (!is_copy(entry.id)) {
    const auto had = mailbox::contains(disk, options_.path, header->id_digest());
    if (!had) return had.error();
    if (*had) return {};  // deleted here
  }
  const mailbox::record note = note_of(got.record, folder, entry);
  auto into = mailbox::delivery::begin(disk, *header,
                                       {{options_.path, std::nullopt, note, is_copy(entry.id)}});
  if (!into) return into.error();
  if (auto good = receive_parts(folder, entry.id, *header, *into); !good) return good;
  const auto stored = into->commit();
  if (!stored.front()) return stored.front().error();
  if (is_copy(entry.id)) {
    auto named = local_.set_sync_state(state_name(entry.id), stored.front()->id);
    if (!named) return named;
  }
  downloads_.remove(entry.id, header->parts().size());
  touch(stored.front()->id);
  ++so_far_.messages;
  report({folder, entry.id, note.verified_domain, std::string(header->first("from").value_or("")),
          std::string(header->subject())});
  return {};
}

result<void> mirror::receive_parts(const std::string& folder, const std::string& id,
                                   const header_block& header, mailbox::delivery& into) {
  body_reader body(header);
  const auto take = [&](octets piece) -> result<void> {
    for (;;) {
      auto slice = body.next(piece);
      if (!slice) return slice.error();
      if (!*slice) return {};
      if (auto good = into.write(**slice); !good) return good;
    }
  };
  for (std::size_t i = 0; i < header.parts().size(); ++i)
    if (auto good = receive_part(folder, id, i + 1, header.parts()[i], take); !good) return good;
  return take({});  // empty parts at the end
}

// A small part streams into the mailbox. A large one is gathered beside it first, so that what came
// before the connection broke needs not come again.
result<void> mirror::receive_part(const std::string& folder, const std::string& id,
                                  std::uint64_t number, const part_info& part,
                                  const take_octets& take) {
  if (part.size < resumable) {
    const auto counted = [&](octets piece) {
      count(piece);
      return take(piece);
    };
    const auto got = remote_.fetch(folder, id, number, counted, 0, part.size);
    if (!got) return got.error();
    if (*got != part.size)
      return error{fault::peer, "part-size", id, "a part is shorter than its header block says"};
    return {};
  }
  auto kept = downloads_.part(id, number);
  if (!kept) return kept.error();
  if (auto good = complete(*kept, folder, id, number, part); !good) return good;
  return read_all(*kept, take);
}

// Fetches what is missing; where the whole does not match its digest, an earlier run or a crash
// left something else, and it comes once more from the beginning.
result<void> mirror::complete(partial_download& kept, const std::string& folder,
                              const std::string& id, std::uint64_t number, const part_info& part) {
  for (;;) {
    if (kept.size() > part.size)
      if (auto good = kept.clear(); !good) return good;
    const bool resumed = kept.size() > 0;
    const auto keep = [&](octets piece) {
      count(piece);
      return kept.append(piece);
    };
    const auto got = remote_.fetch(folder, id, number, keep, kept.size(), part.size - kept.size());
    if (!got) return got.error();
    if (kept.size() != part.size)
      return error{fault::peer, "part-size", id, "a part is shorter than its header block says"};
    hasher sum;
    const auto read = read_all(kept, [&](octets piece) -> result<void> {
      sum.update(piece);
      return {};
    });
    if (!read) return read;
    if (sum.finish() == part.sha256) return {};
    if (auto good = kept.clear(); !good) return good;
    if (!resumed)
      return error{fault::peer, "part-digest", id, "the octets do not match the part's sha256="};
  }
}

void mirror::count(octets piece) {
  so_far_.octets += piece.size();
  (*progress_)(so_far_);
}

void mirror::touch(const std::string& id) {
  if (options_.two_way) touched_.insert(id);
}

result<void> mirror::finish(folder_end& end) {
  std::vector<std::string> ids;
  for (const std::string& remote_id : end.gone) {
    auto id = local_id(remote_id);
    if (!id) return id.error();
    if (!id->empty()) ids.push_back(*std::move(id));
  }
  if (!ids.empty()) {
    const auto removed = local_.remove(end.folder, ids);
    if (!removed) return removed.error();
    for (const std::string& id : ids) touch(id);
  }
  if (!end.brought.empty()) {
    const auto removed = remote_.remove(end.folder, end.brought);
    if (!removed) return removed.error();
  }
  if (options_.two_way)
    if (auto good = push_changes(end); !good) return good;
  states_.push_back({end.folder, end.token});
  return local_.set_sync_state(state_name(end.folder), end.token);
}

}  // namespace ima::tools
