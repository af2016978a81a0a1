// The resolver over c-ares, whose sockets and time-outs are watched by the event loop.

#include "net/resolver.hpp"
#include "support/try.hpp"

#include <ares.h>
#include <asio/posix/stream_descriptor.hpp>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

namespace ima::net {
namespace {

using clock = std::chrono::steady_clock;
constexpr int tries = 2;

// One socket of c-ares. The loop waits for it; c-ares owns and closes it.
struct watched_socket {
  watched_socket(asio::io_context& loop, ares_socket_t s) : descriptor(loop, s) {}
  watched_socket(const watched_socket&) = delete;
  watched_socket& operator=(const watched_socket&) = delete;
  ~watched_socket() { descriptor.release(); }

  asio::posix::stream_descriptor descriptor;
  bool reading = false;  // wanted
  bool writing = false;
  bool read_waits = false;  // a wait is under way
  bool write_waits = false;
};

// A question that was asked and, later, its answer.
template <class Answer>
struct question {
  explicit question(asio::io_context& loop) : answered(loop) {}

  void answer(result<Answer> a) {
    got.emplace(std::move(a));
    answered.cancel();
  }

  std::optional<result<Answer>> got;
  asio::steady_timer answered;
};

error failure(const std::string& name, int status) {
  return {fault::temporary, "dns", name,
          fmt::format("the DNS gives no answer: {}", ares_strerror(status))};
}

bool knows_nothing(int status) { return status == ARES_ENOTFOUND || status == ARES_ENODATA; }

result<std::vector<service_record>> read_services(const std::string& name, int status,
                                                  const unsigned char* answer, int size) {
  if (knows_nothing(status)) return std::vector<service_record>();
  if (status != ARES_SUCCESS) return failure(name, status);
  ares_srv_reply* found = nullptr;
  const int parsed = ares_parse_srv_reply(answer, size, &found);
  if (knows_nothing(parsed)) return std::vector<service_record>();
  if (parsed != ARES_SUCCESS) return failure(name, parsed);
  std::vector<service_record> records;
  for (const ares_srv_reply* r = found; r != nullptr; r = r->next)
    records.push_back({r->host, r->port, r->priority, r->weight});
  ares_free_data(found);
  return records;
}

result<std::vector<tcp::endpoint>> read_addresses(const std::string& host, std::uint16_t port,
                                                  int status, const ares_addrinfo* found) {
  if (knows_nothing(status))
    return error{fault::refused, "no-domain", host, "the DNS knows no address by this name"};
  if (status != ARES_SUCCESS) return failure(host, status);
  std::vector<tcp::endpoint> all;
  for (const ares_addrinfo_node* n = found->nodes; n != nullptr; n = n->ai_next) {
    tcp::endpoint one;
    if (n->ai_addrlen > one.capacity()) continue;
    std::memcpy(one.data(), n->ai_addr, n->ai_addrlen);
    one.resize(n->ai_addrlen);
    one.port(port);
    all.push_back(one);
  }
  return all;
}

}  // namespace

struct resolver::state : std::enable_shared_from_this<state> {
  state(asio::io_context& l, const dns_options& o) : loop(l), total(o.total), timer(l) {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    if (channel != nullptr) ares_destroy(channel);
  }

  result<void> open(const dns_options& options);
  void socket_changed(ares_socket_t s, bool reading, bool writing);
  void wait(ares_socket_t s, const std::shared_ptr<watched_socket>& w);
  void wait_for(ares_socket_t s, const std::shared_ptr<watched_socket>& w, bool to_write);
  void tick();

  template <class Answer>
  awaitable<result<Answer>> answer_of(std::shared_ptr<question<Answer>> q, std::string name,
                                      clock::time_point until);

  asio::io_context& loop;
  std::chrono::milliseconds total;
  asio::steady_timer timer;
  ares_channel channel = nullptr;
  std::map<ares_socket_t, std::shared_ptr<watched_socket>> sockets;
};

result<void> resolver::state::open(const dns_options& options) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  if (library != ARES_SUCCESS) return failure("", library);
  ares_options wanted{};
  wanted.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  wanted.timeout = static_cast<int>(options.timeout.count());
  wanted.tries = tries;
  wanted.sock_state_cb_data = this;
  wanted.sock_state_cb = [](void* self, ares_socket_t s, int reading, int writing) {
    static_cast<state*>(self)->socket_changed(s, reading != 0, writing != 0);
  };
  constexpr int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (const int made = ares_init_options(&channel, &wanted, set); made != ARES_SUCCESS)
    return failure("", made);
  for (std::string list; const std::string& server : options.servers) {
    list += (list.empty() ? "" : ",") + server;
    if (ares_set_servers_ports_csv(channel, list.c_str()) != ARES_SUCCESS)
      return error{fault::caller, "dns-server", "",
                   fmt::format("'{}' is not like 127.0.0.1:53 or [::1]:53", server)};
  }
  return {};
}

void resolver::state::socket_changed(ares_socket_t s, bool reading, bool writing) {
  if (!reading && !writing) {
    sockets.erase(s);
    return;
  }
  auto& w = sockets[s];
  if (!w) w = std::make_shared<watched_socket>(loop, s);
  w->reading = reading;
  w->writing = writing;
  wait(s, w);
}

void resolver::state::wait(ares_socket_t s, const std::shared_ptr<watched_socket>& w) {
  if (w->reading && !w->read_waits) wait_for(s, w, false);
  if (w->writing && !w->write_waits) wait_for(s, w, true);
}

// Only weak references: a socket that c-ares closed meanwhile, or whose number is another's now,
// is none of this wait's business.
void resolver::state::wait_for(ares_socket_t s, const std::shared_ptr<watched_socket>& w,
                               bool to_write) {
  using asio::posix::descriptor_base;
  (to_write ? w->write_waits : w->read_waits) = true;
  w->descriptor.async_wait(
      to_write ? descriptor_base::wait_write : descriptor_base::wait_read,
      [self = weak_from_this(), s, to_write, weak = std::weak_ptr(w)](asio::error_code failed) {
        const auto alive = self.lock();
        const auto socket = weak.lock();
        if (failed || !alive || !socket) return;
        (to_write ? socket->write_waits : socket->read_waits) = false;
        ares_process_fd(alive->channel, to_write ? ARES_SOCKET_BAD : s,
                        to_write ? s : ARES_SOCKET_BAD);
        const auto still = alive->sockets.find(s);
        if (still != alive->sockets.end() && still->second == socket) alive->wait(s, socket);
        alive->tick();
      });
}

// Lets c-ares look at its time-outs when the next one is due.
void resolver::state::tick() {
  timeval room{};
  const timeval* const due = ares_timeout(channel, nullptr, &room);
  timer.cancel();
  if (due == nullptr) return;
  timer.expires_after(std::chrono::seconds(due->tv_sec) + std::chrono::microseconds(due->tv_usec) +
                      std::chrono::milliseconds(1));
  timer.async_wait([self = weak_from_this()](asio::error_code cancelled) {
    const auto alive = self.lock();
    if (cancelled || !alive) return;
    ares_process_fd(alive->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    alive->tick();
  });
}

template <class Answer>
awaitable<result<Answer>> resolver::state::answer_of(std::shared_ptr<question<Answer>> q,
                                                     std::string name, clock::time_point until) {
  tick();
  q->answered.expires_at(std::min(until, clock::now() + total));
  while (!q->got && q->answered.expiry() > clock::now()) co_await q->answered.async_wait(as_result);
  if (!q->got) co_return failure(name, ARES_ETIMEOUT);
  co_return std::move(*q->got);
}

resolver::resolver(std::shared_ptr<state> s) : state_(std::move(s)) {}
resolver::resolver(resolver&&) noexcept = default;
resolver::~resolver() = default;

result<resolver> resolver::create(asio::io_context& loop, const dns_options& options) {
  auto made = std::make_shared<state>(loop, options);
  IMA_CHECK(made->open(options));
  return resolver(std::move(made));
}

// What c-ares is given to remember a question by; it calls back exactly once for each.

awaitable<result<std::vector<service_record>>> resolver::services(std::string name,
                                                                  clock::time_point until) {
  using asked = question<std::vector<service_record>>;
  struct context {
    std::shared_ptr<asked> what;
    std::string name;
  };
  const auto self = state_;
  const auto q = std::make_shared<asked>(self->loop);
  ares_query(
      self->channel, name.c_str(), 1 /* IN */, 33 /* SRV */,
      [](void* given, int status, int, unsigned char* answer, int size) {
        const std::unique_ptr<context> c(static_cast<context*>(given));
        c->what->answer(read_services(c->name, status, answer, size));
      },
      new context{q, name});
  co_return co_await self->answer_of(q, name, until);
}

namespace {

using endpoints = std::vector<tcp::endpoint>;

std::shared_ptr<question<endpoints>> ask_family(asio::io_context& loop, ares_channel channel,
                                                const std::string& host, std::uint16_t port,
                                                int family) {
  struct context {
    std::shared_ptr<question<endpoints>> what;
    std::string host;
    std::uint16_t port;
  };
  auto q = std::make_shared<question<endpoints>>(loop);
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(
      channel, host.c_str(), nullptr, &hints,
      [](void* given, int status, int, ares_addrinfo* found) {
        const std::unique_ptr<context> c(static_cast<context*>(given));
        c->what->answer(read_addresses(c->host, c->port, status, found));
        if (found != nullptr) ares_freeaddrinfo(found);
      },
      new context{q, host, port});
  return q;
}

}  // namespace

// Two questions, so that no answer to one hides that the other failed: only two times "nothing" is
// a reason to give up for good.
awaitable<result<endpoints>> resolver::addresses(std::string host, std::uint16_t port,
                                                 clock::time_point until) {
  const auto self = state_;
  const auto ask6 = ask_family(self->loop, self->channel, host, port, AF_INET6);
  const auto ask4 = ask_family(self->loop, self->channel, host, port, AF_INET);
  auto found6 = co_await self->answer_of(ask6, host, until);
  auto found4 = co_await self->answer_of(ask4, host, until);
  if (!found6 && !found4)
    co_return found6.error().kind == fault::temporary ? found6.error() : found4.error();
  endpoints all;
  if (found6) all = std::move(*found6);
  if (found4) all.insert(all.end(), found4->begin(), found4->end());
  co_return all;
}

}  // namespace ima::net
