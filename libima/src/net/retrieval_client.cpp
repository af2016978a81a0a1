#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/dial.hpp"
#include "net/resolver.hpp"
#include "support/try.hpp"

#include <ima/net/retrieval_client.hpp>
#include <ima/retrieval/client.hpp>
#include <ima/tls/engine.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <utility>
#include <variant>

namespace ima::net {

namespace {

constexpr std::string_view service = "_imrp._tcp";
constexpr std::uint16_t default_port = 20093;
constexpr std::size_t piece_size = 64 * 1024;

using retrieval::message_outcome;
namespace reply = retrieval::reply;

// IMA_CHECK for coroutines.
#define IMA_CO_CHECK(...)                                 \
  do {                                                    \
    if (auto check_result = (__VA_ARGS__); !check_result) \
      co_return std::move(check_result).error();          \
  } while (false)

}  // namespace

struct retrieval_client::state {
  explicit state(const retrieval_client_options& o) : options(o), session({o.host, o.bounds}) {}

  // Runs the loop until one piece of work is done. The writer lives in the same loop and never
  // ends, so the loop is driven step by step. What the caller's own functions throw goes back to
  // him.
  template <class T>
  T wait(awaitable<T> work) {
    std::optional<T> outcome;
    std::exception_ptr thrown;
    asio::co_spawn(
        loop,
        [](awaitable<T> w, std::optional<T>& out) -> awaitable<void> {
          out.emplace(co_await std::move(w));
        }(std::move(work), outcome),
        [&thrown](std::exception_ptr e) { thrown = std::move(e); });
    const auto deadline =
        std::chrono::steady_clock::now() + options.timeout.value_or(std::chrono::milliseconds(0));
    while (!outcome && !thrown) {
      if (!options.timeout)
        loop.run_one();
      else if (loop.run_one_until(deadline) == 0 && std::chrono::steady_clock::now() >= deadline)
        return give_up();
    }
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*outcome);
  }

  // What was under way is never run again; it goes with the loop.
  error give_up() {
    broken = error{fault::temporary, "timeout", options.host, "the operation took too long"};
    return *broken;
  }

  awaitable<result<void>> open(const tls::context& tls);
  awaitable<result<void>> take(tcp::socket socket, const tls::context& tls);
  awaitable<result<void>> flush();
  void start_reading();
  result<void> take_arrived();
  awaitable<result<void>> read_more();
  awaitable<result<reply::done>> answer();
  awaitable<result<void>> upload(const header_block& header, body_source& body,
                                 const std::vector<bool>& had);
  awaitable<result<reply::done>> offer(const header_block& header, body_source& body,
                                       std::vector<bool> had);
  result<void> take(retrieval::client_event& event);

  // Sends what was asked and collects its answer.
  result<reply::done> ask(result<void> asked);
  result<reply::done> ask(result<void> asked, const header_block& header, body_source& body,
                          std::vector<bool> had);
  void forget_answer();
  result<reply::done> conclude(result<reply::done> end);
  result<std::vector<message_outcome>> outcomes(result<void> asked,
                                                std::span<const std::string> ids);

  retrieval_client_options options;
  asio::io_context loop{1};
  retrieval::client session;
  std::shared_ptr<connection> link;
  std::optional<error> broken;
  std::vector<std::string> capabilities;

  // One read at a time, which may outlast the call that began it.
  bool reading = false;
  std::optional<result<octets>> arrived;
  asio::steady_timer arrival{loop, asio::steady_timer::time_point::max()};
  std::deque<retrieval::watched_folder> events;

  // What the answer in hand brought.
  std::vector<retrieval::folder_info> folders;
  std::vector<retrieval::change> changes;
  std::vector<std::pair<std::string, message_outcome>> exceptions;
  std::vector<std::pair<std::string, std::string>> copies;
  std::vector<std::string> hits;
  std::vector<retrieval::queued_message> queued;
  std::uint64_t octets_taken = 0;
  bool accepted = false;
  const take_header* header_taker = nullptr;
  const take_octets* octets_taker = nullptr;
  const sending* send_teller = nullptr;
};

awaitable<result<void>> retrieval_client::state::open(const tls::context& tls) {
  auto dns = resolver::create(loop, options.dns);
  if (!dns) co_return std::move(dns).error();
  const destination to{options.host, service, default_port, &options.hosts};
  const auto until = std::chrono::steady_clock::now() + options.bounds.line;
  co_return co_await dial(*dns, to, options.bounds, until,
                          [&](tcp::socket s) { return take(std::move(s), tls); });
}

awaitable<result<void>> retrieval_client::state::take(tcp::socket socket, const tls::context& tls) {
  auto engine = tls::engine::client(tls, options.host, options.certificate_name);
  if (!engine) co_return std::move(engine).error();
  link = std::make_shared<connection>(std::move(socket), std::move(*engine));
  asio::co_spawn(
      loop, [c = link]() -> awaitable<void> { co_await c->write_loop(); }, asio::detached);
  link->arm(options.bounds.handshake);
  auto good = co_await link->handshake();
  if (!good) link->close();
  co_return good;
}

awaitable<result<void>> retrieval_client::state::flush() {
  const octets waiting = session.pending_output();
  if (waiting.empty()) co_return result<void>();
  const std::size_t count = waiting.size();
  if (auto good = link->write(waiting); !good) co_return std::move(good).error();
  session.sent(count);
  co_return result<void>();
}

awaitable<result<void>> retrieval_client::state::read_more() {
  if (const auto patience = session.timeout())
    link->arm(*patience);
  else
    link->disarm();
  start_reading();
  while (!arrived) co_await arrival.async_wait(as_result);
  co_return take_arrived();
}

void retrieval_client::state::start_reading() {
  if (std::exchange(reading, true)) return;
  asio::co_spawn(
      loop,
      [this]() -> awaitable<void> {
        arrived.emplace(co_await link->read());
        arrival.cancel();
      },
      asio::detached);
}

result<void> retrieval_client::state::take_arrived() {
  reading = false;
  const auto got = *std::exchange(arrived, std::nullopt);
  if (!got) return got.error();
  if (got->empty())
    session.receive_eof();
  else
    session.receive(*got);
  return {};
}

// Up to the end of the request in hand, or to the greeting.
awaitable<result<reply::done>> retrieval_client::state::answer() {
  if (auto good = co_await flush(); !good) co_return std::move(good).error();
  for (;;) {
    auto event = session.next_event();
    if (!event) co_return std::move(event).error();
    if (auto* end = std::get_if<reply::done>(&*event)) co_return std::move(*end);
    if (auto* greeting = std::get_if<reply::greeting>(&*event)) {
      capabilities = std::move(greeting->capabilities);
      co_return reply::done{};
    }
    if (std::holds_alternative<reply::accepted>(*event)) {
      accepted = true;
      co_return reply::done{};
    }
    if (std::holds_alternative<reply::closed>(*event))
      co_return error{fault::temporary, "connection", options.host, "the post office closed"};
    if (std::holds_alternative<reply::need_input>(*event)) {
      if (auto more = co_await read_more(); !more) co_return std::move(more).error();
    } else if (auto good = take(*event); !good) {
      co_return std::move(good).error();
    }
  }
}

result<void> retrieval_client::state::take(retrieval::client_event& event) {
  if (auto* f = std::get_if<reply::folder>(&event)) {
    folders.push_back(std::move(f->info));
  } else if (auto* c = std::get_if<reply::changed_entry>(&event)) {
    changes.push_back(std::move(c->what));
  } else if (auto* g = std::get_if<reply::gone>(&event)) {
    exceptions.emplace_back(std::move(g->id), message_outcome::gone);
  } else if (auto* u = std::get_if<reply::changed>(&event)) {
    exceptions.emplace_back(std::move(u->id), message_outcome::changed);
  } else if (auto* d = std::get_if<reply::copied>(&event)) {
    copies.emplace_back(std::move(d->id), std::move(d->new_id));
  } else if (auto* s = std::get_if<reply::found>(&event)) {
    hits.push_back(std::move(s->id));
  } else if (auto* q = std::get_if<reply::queued>(&event)) {
    queued.push_back(std::move(q->what));
  } else if (const auto* o = std::get_if<reply::outcome>(&event)) {
    send_teller->outcome(o->what);
  } else if (const auto* n = std::get_if<reply::note>(&event)) {
    send_teller->note(n->host, n->text);
  } else if (auto* e = std::get_if<reply::event>(&event)) {
    std::erase_if(events, [&](const auto& known) { return known.folder == e->now.folder; });
    events.push_back(std::move(e->now));
  } else if (const auto* h = std::get_if<reply::header>(&event)) {
    return (*header_taker)(h->id, h->block, h->record);
  } else if (const auto* p = std::get_if<reply::part_octets>(&event)) {
    octets_taken += p->bytes.size();
    return (*octets_taker)(p->bytes);
  }
  return {};
}

// Sends the body that was accepted, in the pieces in which it is read; parts that the post office
// has are passed over.
awaitable<result<void>> retrieval_client::state::upload(const header_block& header,
                                                        body_source& body,
                                                        const std::vector<bool>& had) {
  std::string piece;
  if (session.body_left() == 0) IMA_CO_CHECK(session.body({}));
  for (std::size_t i = 0; i < header.parts().size(); ++i) {
    const part_info& part = header.parts()[i];
    for (std::uint64_t at = 0; at < part.size && !had[i]; at += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, part.size - at)));
      IMA_CO_CHECK(body.read_at(part.offset + at, piece.data(), piece.size()));
      IMA_CO_CHECK(session.body(piece));
      IMA_CO_CHECK(co_await flush());
      link->arm(options.bounds.line);  // the post office takes what it accepted
      co_await link->drained();
      link->disarm();
      if (link->is_closed()) co_return error{fault::temporary, "connection", options.host, "lost"};
    }
  }
  co_return result<void>();
}

awaitable<result<reply::done>> retrieval_client::state::offer(const header_block& header,
                                                              body_source& body,
                                                              std::vector<bool> had) {
  auto end = co_await answer();
  if (!end || !accepted) co_return end;
  IMA_CO_CHECK(co_await upload(header, body, had));
  co_return co_await answer();
}

void retrieval_client::state::forget_answer() {
  folders.clear();
  changes.clear();
  exceptions.clear();
  copies.clear();
  hits.clear();
  queued.clear();
  octets_taken = 0;
  accepted = false;
}

result<reply::done> retrieval_client::state::ask(result<void> asked) {
  if (broken) return *broken;
  if (!asked) return std::move(asked).error();  // our caller's fault; nothing was sent
  forget_answer();
  return conclude(wait(answer()));
}

result<reply::done> retrieval_client::state::ask(result<void> asked, const header_block& header,
                                                 body_source& body, std::vector<bool> had) {
  if (broken) return *broken;
  if (!asked) return std::move(asked).error();
  forget_answer();
  had.resize(header.parts().size());
  return conclude(wait(offer(header, body, std::move(had))));
}

result<reply::done> retrieval_client::state::conclude(result<reply::done> end) {
  if (!end) {
    broken = end.error();
    if (link) link->close();
    return *broken;
  }
  if (!end->failed) return end;
  const reply::failure& why = *end->failed;
  return error{why.temporary ? fault::temporary : fault::refused, to_string(why.why), options.host,
               why.text};
}

// The lines name what is not done, in the order of the request; everything else is.
result<std::vector<message_outcome>> retrieval_client::state::outcomes(
    result<void> asked, std::span<const std::string> ids) {
  IMA_CHECK(ask(std::move(asked)));
  std::vector<message_outcome> out;
  out.reserve(ids.size());
  auto next = exceptions.begin();
  for (const std::string& id : ids) {
    const bool named = next != exceptions.end() && next->first == id;
    out.push_back(named ? (next++)->second : message_outcome::done);
  }
  return out;
}

retrieval_client::retrieval_client(std::unique_ptr<state> s) : state_(std::move(s)) {}
retrieval_client::retrieval_client(retrieval_client&&) noexcept = default;
retrieval_client& retrieval_client::operator=(retrieval_client&&) noexcept = default;
retrieval_client::~retrieval_client() = default;

result<retrieval_client> retrieval_client::connect(const retrieval_client_options& options,
                                                   const tls::context& tls) {
  auto made = std::make_unique<state>(options);
  IMA_CHECK(made->wait(made->open(tls)));
  IMA_CHECK(made->ask({}));  // the greeting
  return retrieval_client(std::move(made));
}

void retrieval_client::set_timeout(std::optional<std::chrono::milliseconds> each) noexcept {
  state_->options.timeout = each;
}

result<void> retrieval_client::authenticate(std::string_view user, octets password) {
  IMA_CHECK(state_->ask(state_->session.authenticate(user, password)));
  return {};
}

result<void> retrieval_client::authenticate(std::string_view user) {
  IMA_CHECK(state_->ask(state_->session.authenticate(user)));
  return {};
}

result<std::vector<retrieval::folder_info>> retrieval_client::folders() {
  IMA_CHECK(state_->ask(state_->session.folders()));
  return std::move(state_->folders);
}

result<retrieval::folder_status> retrieval_client::status(std::string_view folder) {
  IMA_TRY(end, state_->ask(state_->session.status(folder)));
  return std::move(*end.status);
}

result<retrieval::change_page> retrieval_client::changes(std::string_view folder,
                                                         std::string_view token,
                                                         std::uint64_t page) {
  IMA_TRY(end, state_->ask(state_->session.changes(folder, token, page)));
  return retrieval::change_page{std::move(state_->changes), std::move(end.token), end.more};
}

result<void> retrieval_client::headers(std::string_view folder, std::span<const std::string> ids,
                                       const take_header& take) {
  state_->header_taker = &take;
  IMA_CHECK(state_->ask(state_->session.headers(folder, ids)));
  return {};
}

result<std::uint64_t> retrieval_client::fetch(std::string_view folder, std::string_view id,
                                              std::uint64_t part, const take_octets& take,
                                              std::uint64_t offset,
                                              std::optional<std::uint64_t> length) {
  state_->octets_taker = &take;
  IMA_CHECK(state_->ask(state_->session.fetch(folder, id, part, offset, length)));
  return state_->octets_taken;
}

result<std::vector<message_outcome>> retrieval_client::flag(std::string_view folder,
                                                            std::span<const std::string> ids,
                                                            const retrieval::flag_change& what) {
  return state_->outcomes(state_->session.flag(folder, ids, what), ids);
}

result<std::vector<message_outcome>> retrieval_client::remove(std::string_view folder,
                                                              std::span<const std::string> ids) {
  return state_->outcomes(state_->session.remove(folder, ids), ids);
}

result<std::vector<message_outcome>> retrieval_client::move(std::string_view folder,
                                                            std::string_view target,
                                                            std::span<const std::string> ids) {
  return state_->outcomes(state_->session.move(folder, target, ids), ids);
}

result<std::vector<std::string>> retrieval_client::copy(std::string_view folder,
                                                        std::string_view target,
                                                        std::span<const std::string> ids) {
  IMA_CHECK(state_->ask(state_->session.copy(folder, target, ids)));
  std::vector<std::string> out;
  auto next = state_->copies.begin();
  for (const std::string& id : ids) {
    const bool copied = next != state_->copies.end() && next->first == id;
    out.push_back(copied ? std::move((next++)->second) : std::string());
  }
  return out;
}

const std::vector<std::string>& retrieval_client::capabilities() const noexcept {
  return state_->capabilities;
}

bool retrieval_client::offers(std::string_view capability) const noexcept {
  return std::ranges::find(state_->capabilities, capability) != state_->capabilities.end();
}

result<void> retrieval_client::create_folder(std::string_view folder, std::string_view role) {
  IMA_CHECK(state_->ask(state_->session.create_folder(folder, role)));
  return {};
}

result<void> retrieval_client::rename_folder(std::string_view folder, std::string_view target) {
  IMA_CHECK(state_->ask(state_->session.rename_folder(folder, target)));
  return {};
}

result<void> retrieval_client::delete_folder(std::string_view folder) {
  IMA_CHECK(state_->ask(state_->session.delete_folder(folder)));
  return {};
}

result<retrieval::search_page> retrieval_client::search(std::string_view folder,
                                                        std::string_view cursor, std::uint64_t page,
                                                        const retrieval::search_query& query) {
  IMA_TRY(end, state_->ask(state_->session.search(folder, cursor, page, query)));
  return retrieval::search_page{std::move(state_->hits), std::move(end.cursor)};
}

result<retrieval::quota_status> retrieval_client::quota() {
  IMA_TRY(end, state_->ask(state_->session.quota()));
  return *std::move(end.quota);
}

result<void> retrieval_client::change_password(octets old_password, octets new_password) {
  IMA_CHECK(state_->ask(state_->session.change_password(old_password, new_password)));
  return {};
}

result<std::vector<retrieval::queued_message>> retrieval_client::queue() {
  IMA_CHECK(state_->ask(state_->session.queue()));
  return std::move(state_->queued);
}

result<std::string> retrieval_client::append(const retrieval::append_target& what,
                                             const header_block& header, body_source& body) {
  IMA_TRY(end, state_->ask(state_->session.append(what, header), header, body, {}));
  return std::move(end.id);
}

result<retrieval::send_end> retrieval_client::send(const retrieval::send_options& options,
                                                   const header_block& header, body_source& body,
                                                   const sending& told) {
  state_->send_teller = &told;
  std::vector<bool> had(header.parts().size());
  auto asked = state_->session.send(options, header);
  if (asked)
    for (const auto& p : options.parts) had[static_cast<std::size_t>(p.part - 1)] = true;
  IMA_TRY(end, state_->ask(std::move(asked), header, body, std::move(had)));
  return *std::move(end.sent);
}

result<void> retrieval_client::watch(std::span<const retrieval::watched_folder> folders) {
  IMA_CHECK(state_->ask(state_->session.watch(folders)));
  return {};
}

result<std::optional<retrieval::watched_folder>> retrieval_client::wait_for_change(
    std::chrono::milliseconds patience) {
  state& s = *state_;
  const auto until = std::chrono::steady_clock::now() + patience;
  if (s.link) s.link->disarm();
  while (s.events.empty()) {
    if (s.broken) return *s.broken;
    auto event = s.session.next_event();
    if (!event) {
      IMA_CHECK(s.conclude(std::move(event).error()));
    } else if (std::holds_alternative<reply::closed>(*event)) {
      IMA_CHECK(s.conclude(error{fault::temporary, "connection", s.options.host, "it closed"}));
    } else if (!std::holds_alternative<reply::need_input>(*event)) {
      IMA_CHECK(s.take(*event));
    } else {
      s.start_reading();
      while (!s.arrived)
        if (s.loop.run_one_until(until) == 0) return std::optional<retrieval::watched_folder>();
      if (auto good = s.take_arrived(); !good) IMA_CHECK(s.conclude(std::move(good).error()));
    }
  }
  std::optional<retrieval::watched_folder> first(std::move(s.events.front()));
  s.events.pop_front();
  return first;
}

result<void> retrieval_client::done() {
  if (state_->broken) return *state_->broken;
  IMA_CHECK(state_->session.done());
  return state_->wait([](state& s) -> awaitable<result<void>> {
    auto good = co_await s.flush();
    s.link->arm(s.options.bounds.handshake);
    co_await s.link->finish();
    co_return good;
  }(*state_));
}

}  // namespace ima::net
