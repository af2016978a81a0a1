#include "mirror.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>

// What changed at the post office comes here.

namespace ima::tools {
namespace {

constexpr std::uint64_t page = 1000;

// The words of `from` that `other` lacks.
std::vector<std::string> without(const std::vector<std::string>& from,
                                 const std::vector<std::string>& other) {
  std::vector<std::string> out;
  std::ranges::copy_if(from, std::back_inserter(out), [&](const std::string& word) {
    return std::ranges::find(other, word) == other.end();
  });
  return out;
}

}  // namespace

result<void> mirror::update(const on_message& report, const on_progress& progress) {
  progress_ = &progress;
  so_far_ = {};
  touched_.clear();
  states_.clear();
  failures_.clear();
  made_.clear();
  // A run that was killed may have left messages that are not taken in, and cannot be removed so.
  if (const auto taken = local_.take_in(); !taken) return taken.error();
  const auto emptied = notes_.get(subject::emptied, "");
  if (!emptied) return emptied.error();
  keeps_ = options_.delete_after || !emptied->empty();
  const auto folders = choose_folders();
  if (!folders) return folders.error();
  if (auto good = make_folders(*folders); !good) return good;

  std::vector<std::string> names;
  for (const auto& folder : *folders) names.push_back(folder.name);
  std::vector<folder_end> ends;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto end = bring(names[i], report);
    if (!end) return end.error();
    ends.push_back(*std::move(end));
    if (options_.folders.empty()) names.insert(names.end(), made_.begin(), made_.end());
    made_.clear();
  }
  for (folder_end& end : ends)
    if (auto good = finish(end); !good) return good;
  if (auto good = drop_folders(); !good) return good;
  downloads_.remove_all();
  return {};
}

result<retrieval::change_page> mirror::next_page(const std::string& folder, std::string& token) {
  auto got = remote_.changes(folder, token, page);
  if (!got && got.error().rule == "resync" && token != retrieval::first_token) {
    token = retrieval::first_token;
    got = remote_.changes(folder, token, page);
  }
  if (got && got->more && got->token == token)
    return error{fault::peer, "no-progress", folder, "the post office gives the same page again"};
  return got;
}

result<mirror::folder_end> mirror::bring(const std::string& folder, const on_message& report) {
  so_far_.folder = folder;
  folder_end end;
  end.folder = folder;
  auto kept = notes_.get(subject::there, folder);
  if (!kept) return kept.error();
  end.token = kept->empty() ? std::string(retrieval::first_token) : *std::move(kept);
  auto missed = notes_.get_messages(subject::missed, folder);
  if (!missed) return missed.error();
  end.again = *std::move(missed);
  const auto emptied = notes_.get(subject::emptied, folder);
  if (!emptied) return emptied.error();
  if (options_.delete_after && emptied->empty())  // other runs brought what is to go there now
    end.token = retrieval::first_token;
  if (options_.two_way)
    if (auto good = look_here(end); !good) return good.error();
  if (auto good = bring_pages(end, report); !good) return good.error();
  if (auto good = push(folder, end.mine); !good) return good.error();
  return end;
}

result<void> mirror::bring_pages(folder_end& end, const on_message& report) {
  for (bool more = true; more;) {
    auto got = next_page(end.folder, end.token);
    if (!got) return got.error();
    if (end.token == retrieval::first_token)
      if (auto good = begin_list(end); !good) return good;
    const auto wanted = missing(end, got->changes);
    if (!wanted) return wanted.error();
    if (auto good = fetch_all(end, *wanted, report); !good) return good;
    end.token = std::move(got->token);
    more = got->more;
  }
  std::vector<retrieval::entry> again;
  for (const auto& [id, entry] : end.again) again.push_back(entry);
  return fetch_all(end, again, report);
}

// All that is there is about to be named (docs/retrieval.md section 5.4).
result<void> mirror::begin_list(folder_end& end) {
  end.gone.clear();
  end.named.clear();
  end.again.clear();
  end.missed.clear();
  const auto here = local_.status(end.folder);
  if (!here) return here.error();
  end.compare = here->messages > 0;
  return {};
}

result<std::vector<retrieval::entry>> mirror::missing(folder_end& end,
                                                      std::vector<retrieval::change>& changes) {
  std::vector<retrieval::entry> wanted;
  for (retrieval::change& change : changes) {
    end.again.erase(change.id);
    end.missed.erase(change.id);
    if (!change.present) {
      end.gone.insert(std::move(change.id));
      continue;
    }
    end.gone.erase(change.id);  // it came back
    const auto here = adapt(end, *change.present);
    if (!here) return here.error();
    if (!*here)
      wanted.push_back(*std::move(change.present));
    else if (options_.delete_after)
      end.brought.push_back(std::move(change.id));  // an earlier run was stopped before it could
  }
  return wanted;
}

// Gives a message that is here already its folder and flags; false where it is not here.
result<bool> mirror::adapt(folder_end& end, const retrieval::entry& entry) {
  const auto id = notes_.local_id(entry.id);
  if (!id) return id.error();
  if (id->empty()) return false;
  if (end.compare) end.named.insert(std::hash<std::string>()(*id));
  // That a whole list names it does not say that it changed there: what was done here counts.
  const auto mine = end.mine.find(*id);
  if (end.compare && mine != end.mine.end()) return true;
  return place(end.folder, *id, entry);
}

result<bool> mirror::place(const std::string& folder, const std::string& id,
                           const retrieval::entry& entry) {
  for (const std::string& name : folders_) {
    const auto found = local_.find(name, id);
    if (!found) return found.error();
    if (!*found) continue;
    if (name != folder) {
      const auto moved = local_.move(name, folder, std::span(&id, 1));
      if (!moved) return moved.error();
    }
    if (auto good = set_flags(folder, **found, entry); !good) return good.error();
    touch(id);
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

void mirror::touch(const std::string& id) {
  if (options_.two_way) touched_.insert(id);
}

result<void> mirror::finish(folder_end& end) {
  if (!keeps_)
    if (auto good = remove_gone(end); !good) return good;
  if (!end.brought.empty())
    if (auto good = delete_there(end); !good) return good;
  if (keeps_)
    if (auto good = notes_.set(subject::emptied, end.folder, options_.delete_after ? "1" : "");
        !good)
      return good;
  if (options_.two_way) {
    const auto meanwhile = changes_here(end);  // its own changes are not people's
    if (!meanwhile) return meanwhile.error();
    if (auto good = push(end.folder, *meanwhile); !good) return good;
    if (auto good = notes_.set(subject::here, end.folder, end.here); !good) return good;
  }
  states_.push_back({end.folder, end.token});
  if (auto good = notes_.set_messages(subject::missed, end.folder, end.missed); !good) return good;
  return notes_.set(subject::there, end.folder, end.token);
}

}  // namespace ima::tools
