#include "net/retrieval_link.hpp"
#include "support/try.hpp"

#include <ima/net/retrieval_client.hpp>

#include <algorithm>
#include <utility>

namespace ima::net {

namespace {

using retrieval::message_outcome;

// The answer names what is not done, in the order of the request; everything else is.
result<std::vector<message_outcome>> outcomes(retrieval_link& link, result<void> asked,
                                              std::span<const std::string> ids) {
  IMA_CHECK(link.ask(std::move(asked)));
  std::vector<message_outcome> out;
  out.reserve(ids.size());
  const auto& exceptions = link.answer().exceptions;
  auto next = exceptions.begin();
  for (const std::string& id : ids) {
    const bool named = next != exceptions.end() && next->first == id;
    out.push_back(named ? (next++)->second : message_outcome::done);
  }
  return out;
}

// What a request line without its ids may take: command, two folders (an encoded octet is three),
// flags with their signs, a seq.
std::size_t taken(std::string_view folder, std::string_view target = {},
                  const retrieval::flag_change& what = {}) {
  std::size_t size = 64 + 3 * (folder.size() + target.size());
  for (const auto* flags : {&what.add, &what.remove})
    for (const std::string& flag : *flags) size += flag.size() + 2;
  return size;
}

}  // namespace

struct retrieval_client::state {
  explicit state(const retrieval_client_options& options)
      : link(options), request_line(options.bounds.request_line) {}
  retrieval_link link;
  std::size_t request_line;

  // Calls `each` for as many ids at a time as a request line has room for.
  template <class Each>
  result<void> in_requests(std::span<const std::string> ids, std::size_t beside, const Each& each) {
    const retrieval_link::one_call whole(link);
    const std::size_t room = request_line - std::min(request_line, beside);
    do {
      std::size_t count = 0;
      std::size_t size = 0;
      for (; count < ids.size() && (count == 0 || size + ids[count].size() < room); ++count)
        size += ids[count].size() + 1;
      IMA_CHECK(each(ids.first(count)));
      ids = ids.subspan(count);
    } while (!ids.empty());
    return {};
  }

  // The same for requests that only name what is not done.
  template <class Ask>
  result<std::vector<message_outcome>> change(std::span<const std::string> ids, std::size_t beside,
                                              const Ask& ask) {
    std::vector<message_outcome> all;
    const auto change_some = [&](std::span<const std::string> some) -> result<void> {
      IMA_TRY(of_some, outcomes(link, ask(some), some));
      all.insert(all.end(), of_some.begin(), of_some.end());
      return {};
    };
    IMA_CHECK(in_requests(ids, beside, change_some));
    return all;
  }
};

retrieval_client::retrieval_client(std::unique_ptr<state> s) : state_(std::move(s)) {}
retrieval_client::retrieval_client(retrieval_client&&) noexcept = default;
retrieval_client& retrieval_client::operator=(retrieval_client&&) noexcept = default;
retrieval_client::~retrieval_client() = default;

result<retrieval_client> retrieval_client::connect(const retrieval_client_options& options,
                                                   const tls::context& tls) {
  auto made = std::make_unique<state>(options);
  IMA_CHECK(made->link.open(tls));
  return retrieval_client(std::move(made));
}

void retrieval_client::set_timeout(std::optional<std::chrono::milliseconds> each) noexcept {
  state_->link.set_timeout(each);
}

result<void> retrieval_client::authenticate(std::string_view user, octets password) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().authenticate(user, password)));
  return {};
}

result<void> retrieval_client::authenticate(std::string_view user) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().authenticate(user)));
  return {};
}

result<std::vector<retrieval::folder_info>> retrieval_client::folders() {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().folders()));
  return std::move(link.answer().folders);
}

result<retrieval::folder_status> retrieval_client::status(std::string_view folder) {
  retrieval_link& link = state_->link;
  IMA_TRY(end, link.ask(link.session().status(folder)));
  return std::move(*end.status);
}

result<retrieval::change_page> retrieval_client::changes(std::string_view folder,
                                                         std::string_view token,
                                                         std::uint64_t page) {
  retrieval_link& link = state_->link;
  IMA_TRY(end, link.ask(link.session().changes(folder, token, page)));
  return retrieval::change_page{std::move(link.answer().changes), std::move(end.token), end.more};
}

result<void> retrieval_client::headers(std::string_view folder, std::span<const std::string> ids,
                                       const take_header& take) {
  retrieval_link& link = state_->link;
  return state_->in_requests(ids, taken(folder), [&](auto some) -> result<void> {
    IMA_CHECK(link.ask(link.session().headers(folder, some), {.header = &take}));
    return {};
  });
}

result<std::uint64_t> retrieval_client::fetch(std::string_view folder, std::string_view id,
                                              std::uint64_t part, const take_octets& take,
                                              std::uint64_t offset,
                                              std::optional<std::uint64_t> length) {
  retrieval_link& link = state_->link;
  auto asked = link.session().fetch(folder, id, part, offset, length);
  IMA_CHECK(link.ask(std::move(asked), {.octets = &take}));
  return link.answer().octets;
}

result<std::vector<message_outcome>> retrieval_client::flag(std::string_view folder,
                                                            std::span<const std::string> ids,
                                                            const retrieval::flag_change& what) {
  return state_->change(ids, taken(folder, {}, what),
                        [&](auto some) { return state_->link.session().flag(folder, some, what); });
}

result<std::vector<message_outcome>> retrieval_client::remove(std::string_view folder,
                                                              std::span<const std::string> ids) {
  return state_->change(ids, taken(folder),
                        [&](auto some) { return state_->link.session().remove(folder, some); });
}

result<std::vector<message_outcome>> retrieval_client::move(std::string_view folder,
                                                            std::string_view target,
                                                            std::span<const std::string> ids) {
  return state_->change(ids, taken(folder, target), [&](auto some) {
    return state_->link.session().move(folder, target, some);
  });
}

result<std::vector<std::string>> retrieval_client::copy(std::string_view folder,
                                                        std::string_view target,
                                                        std::span<const std::string> ids) {
  retrieval_link& link = state_->link;
  std::vector<std::string> out;
  const auto copy_some = [&](std::span<const std::string> some) -> result<void> {
    IMA_CHECK(link.ask(link.session().copy(folder, target, some)));
    auto next = link.answer().copies.begin();
    for (const std::string& id : some) {
      const bool copied = next != link.answer().copies.end() && next->first == id;
      out.push_back(copied ? std::move((next++)->second) : std::string());
    }
    return {};
  };
  IMA_CHECK(state_->in_requests(ids, taken(folder, target), copy_some));
  return out;
}

const std::vector<std::string>& retrieval_client::capabilities() const noexcept {
  retrieval_link& link = state_->link;
  return link.capabilities();
}

bool retrieval_client::offers(std::string_view capability) const noexcept {
  retrieval_link& link = state_->link;
  return std::ranges::find(link.capabilities(), capability) != link.capabilities().end();
}

result<void> retrieval_client::create_folder(std::string_view folder, std::string_view role) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().create_folder(folder, role)));
  return {};
}

result<void> retrieval_client::rename_folder(std::string_view folder, std::string_view target) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().rename_folder(folder, target)));
  return {};
}

result<void> retrieval_client::delete_folder(std::string_view folder) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().delete_folder(folder)));
  return {};
}

result<retrieval::search_page> retrieval_client::search(std::string_view folder,
                                                        std::string_view cursor, std::uint64_t page,
                                                        const retrieval::search_query& query) {
  retrieval_link& link = state_->link;
  IMA_TRY(end, link.ask(link.session().search(folder, cursor, page, query)));
  return retrieval::search_page{std::move(link.answer().hits), std::move(end.cursor)};
}

result<retrieval::quota_status> retrieval_client::quota() {
  retrieval_link& link = state_->link;
  IMA_TRY(end, link.ask(link.session().quota()));
  return *std::move(end.quota);
}

result<void> retrieval_client::change_password(octets old_password, octets new_password) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().change_password(old_password, new_password)));
  return {};
}

result<std::vector<retrieval::queued_message>> retrieval_client::queue() {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().queue()));
  return std::move(link.answer().queued);
}

result<std::string> retrieval_client::append(const retrieval::append_target& what,
                                             const header_block& header, body_source& body) {
  retrieval_link& link = state_->link;
  IMA_TRY(end, link.ask(link.session().append(what, header), {header, body, {}}));
  return std::move(end.id);
}

result<retrieval::send_end> retrieval_client::send(const retrieval::send_options& options,
                                                   const header_block& header, body_source& body,
                                                   const sending& told) {
  retrieval_link& link = state_->link;
  std::vector<bool> had(header.parts().size());
  auto asked = link.session().send(options, header);
  if (asked)
    for (const auto& p : options.parts) had[static_cast<std::size_t>(p.part - 1)] = true;
  IMA_TRY(end, link.ask(std::move(asked), {header, body, std::move(had)}, {.sending = &told}));
  return *std::move(end.sent);
}

result<void> retrieval_client::watch(std::span<const retrieval::watched_folder> folders) {
  retrieval_link& link = state_->link;
  IMA_CHECK(link.ask(link.session().watch(folders)));
  return {};
}

result<std::optional<retrieval::watched_folder>> retrieval_client::wait_for_change(
    std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);  // no overflow
  return state_->link.wait_for_event(std::chrono::steady_clock::now() +
                                     std::min(patience, longest));
}

result<void> retrieval_client::done() { return state_->link.finish(); }

}  // namespace ima::net
