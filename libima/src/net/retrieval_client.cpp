#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/dial.hpp"
#include "net/resolver.hpp"
#include "support/try.hpp"

#include <ima/net/retrieval_client.hpp>
#include <ima/retrieval/client.hpp>
#include <ima/tls/engine.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>
#include <variant>

namespace ima::net {

namespace {

constexpr std::string_view service = "_imrp._tcp";
constexpr std::uint16_t default_port = 20093;

using retrieval::message_outcome;
namespace reply = retrieval::reply;

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
  awaitable<result<void>> read_more();
  awaitable<result<reply::done>> answer();
  result<void> take(retrieval::client_event& event);

  // Sends what was asked and collects its answer.
  result<reply::done> ask(result<void> asked);
  result<std::vector<message_outcome>> outcomes(result<void> asked,
                                                std::span<const std::string> ids);

  retrieval_client_options options;
  asio::io_context loop{1};
  retrieval::client session;
  std::shared_ptr<connection> link;
  std::optional<error> broken;

  // What the answer in hand brought.
  std::vector<retrieval::folder_info> folders;
  std::vector<retrieval::change> changes;
  std::vector<std::pair<std::string, message_outcome>> exceptions;
  std::vector<std::pair<std::string, std::string>> copies;
  std::uint64_t octets_taken = 0;
  const take_header* header_taker = nullptr;
  const take_octets* octets_taker = nullptr;
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
  auto got = co_await link->read();
  if (!got) co_return std::move(got).error();
  if (got->empty())
    session.receive_eof();
  else
    session.receive(*got);
  co_return result<void>();
}

// Up to the end of the request in hand, or to the greeting.
awaitable<result<reply::done>> retrieval_client::state::answer() {
  if (auto good = co_await flush(); !good) co_return std::move(good).error();
  for (;;) {
    auto event = session.next_event();
    if (!event) co_return std::move(event).error();
    if (auto* end = std::get_if<reply::done>(&*event)) co_return std::move(*end);
    if (std::holds_alternative<reply::greeting>(*event)) co_return reply::done{};
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
  } else if (const auto* h = std::get_if<reply::header>(&event)) {
    return (*header_taker)(h->id, h->block, h->record);
  } else if (const auto* p = std::get_if<reply::part_octets>(&event)) {
    octets_taken += p->bytes.size();
    return (*octets_taker)(p->bytes);
  }
  return {};
}

result<reply::done> retrieval_client::state::ask(result<void> asked) {
  if (broken) return *broken;
  if (!asked) return std::move(asked).error();  // our caller's fault; nothing was sent
  folders.clear();
  changes.clear();
  exceptions.clear();
  copies.clear();
  octets_taken = 0;
  auto end = wait(answer());
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
