#include "mailbox/store.hpp"
#include "mailbox/words.hpp"

#include <algorithm>
#include <limits>
#include <string>

// Searching (docs/mailbox.md section 9).

namespace ima::mailbox {

namespace {

constexpr std::size_t slice = 128;          // messages made searchable before others get a turn
constexpr std::size_t most_at_once = 1024;  // and by one search

bool needs_words(const query& what) {
  return !what.texts.empty() || what.sent_since || what.sent_before;
}

result<void> check_query(const query& what) {
  for (const auto& text : what.texts)
    if (!has_words(text.words))
      return caller_error("search-text", text.words, "there is no word to look for");
  return {};
}

}  // namespace

// Where a search goes on: everything older than this birth.
result<std::uint64_t> mailbox::state::read_from(std::string_view from) {
  constexpr auto newest = std::uint64_t{std::numeric_limits<std::int64_t>::max()};
  if (from.empty()) return newest;
  IMA_TRY(at, read_token(from, 0));
  return at.seq;
}

// A message that cannot be read is passed over, and tried again by later searches; check() names
// it.
result<void> mailbox::state::read_words_of(const index::unread& message) {
  IMA_TRY(object, object_of(message.id));
  if (!object) return cache->pass_over(message.born);
  auto text = read_words(files, *object);
  if (text) return cache->make_searchable(message.born, *text);
  if (!concerns_one_message(text.error())) return text.error();
  return cache->pass_over(message.born);
}

result<bool> mailbox::state::make_searchable(std::size_t at_most) {
  const std::size_t wanted = std::min(at_most, slice);
  IMA_CHECK(cache->begin());
  IMA_CHECK(cache->drop_removed_words());
  IMA_TRY(unread, cache->unsearchable(wanted));
  for (const auto& message : unread) IMA_CHECK(read_words_of(message));
  IMA_CHECK(cache->commit_searchable(unread));
  return unread.size() < wanted;
}

// Right before a search, as the index may have been made anew since most of this was done.
result<bool> mailbox::state::read_last_words() {
  IMA_TRY(all, make_searchable(slice));
  if (!all) return false;
  IMA_TRY(unread, cache->passed_over(slice));
  if (unread.empty()) return true;
  IMA_CHECK(cache->begin());
  for (const auto& message : unread) IMA_CHECK(read_words_of(message));
  IMA_CHECK(cache->commit_searchable({}));
  return true;
}

result<bool> mailbox::make_searchable(std::size_t at_most) {
  state& s = *state_;
  for (std::size_t done = 0; done < at_most; done += slice) {
    auto all = s.reading([&]() -> result<bool> {
      return s.or_roll_back([&] { return s.make_searchable(at_most - done); });
    });
    if (!all || *all) return all;
  }
  return false;
}

result<search_page> mailbox::search(std::string_view folder, const query& what,
                                    std::string_view from, std::size_t limit) {
  state& s = *state_;
  IMA_CHECK(check_query(what));
  if (needs_words(what)) IMA_CHECK(make_searchable(most_at_once - slice));
  return s.reading([&]() -> result<search_page> {
    std::uint64_t number = 0;
    if (!folder.empty()) {
      IMA_TRY(found, s.folder(folder));
      number = found.number;
    }
    IMA_TRY(born, s.read_from(from));
    search_page page;
    IMA_TRY(ready, needs_words(what) ? s.or_roll_back([&] { return s.read_last_words(); }) : true);
    if (!ready) {
      IMA_TRY(now, s.cache->where());
      page.next = from.empty() ? s.write({0, now.place.seq, 0}) : std::string(from);
      return page;
    }
    IMA_TRY(hits, s.cache->search(number, what, born, limit + 1));
    const bool more = hits.size() > limit;
    if (more) hits.resize(limit);
    if (more && limit > 0) page.next = s.write({0, hits.back().born, 0});
    for (auto& hit : hits) page.hits.push_back(std::move(hit.found));
    return page;
  });
}

}  // namespace ima::mailbox
