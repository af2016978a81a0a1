// ima-source: sends many messages to one server, over several connections at once, and says how
// long it took; or puts them into a queue, one host each or all to one.

#include "common.hpp"
#include "net/all_of.hpp"
#include "net/delivery_link.hpp"
#include "net/host_delivery.hpp"

#include <ima/mailbox/file_system.hpp>
#include <ima/service/queue.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace ima;
using clock_type = std::chrono::steady_clock;

struct plan {
  bench::identity who;
  std::string from = "source@a.example";
  std::string to = "sink@b.example";
  std::string server;
  std::string queue;
  std::uint64_t messages = 100;
  std::uint64_t size = 1000;
  std::size_t connections = 1;
  bool spread = false;
};

// A body of so many octets of one kind, which need not exist anywhere.
class plain_body : public body_source {
 public:
  result<void> read_at(std::uint64_t, char* buffer, std::size_t size) override {
    std::fill_n(buffer, size, 'x');
    return {};
  }
};

digest digest_of_body(std::uint64_t size) {
  hasher h;
  const std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1 << 20)), 'x');
  for (std::uint64_t left = size; left > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    h.update(octets(piece).substr(0, count));
    left -= count;
  }
  return h.finish();
}

header_block message(const plan& p, const part_description& part, const std::string& to,
                     std::uint64_t number) {
  limits none;
  none.body = UINT64_MAX / 2;
  header_builder builder;
  builder
      .field("id", fmt::format("{}.{}@bench", clock_type::now().time_since_epoch().count(), number))
      .field("from", p.from)
      .field("to", to)
      .field("subject", "benchmark");
  return bench::or_die(builder.part(part).build(none));
}

struct run {
  const plan& what;
  const part_description& part;
  net::sending_means& means;
  std::uint64_t next = 0;
  std::uint64_t delivered = 0;
};

// One connection; takes messages until none is left.
net::awaitable<void> connection(run& r) {
  const auto sender = r.what.from.substr(r.what.from.find('@') + 1);
  const auto host = r.what.to.substr(r.what.to.find('@') + 1);
  const auto link = std::make_shared<net::delivery_link>(r.means, host, sender);
  plain_body body;
  while (r.next < r.what.messages) {
    const header_block header = message(r.what, r.part, r.what.to, r.next++);
    net::host_delivery d(link, header, body, nullptr, nullptr);
    co_await d.ask(clock_type::now() + std::chrono::minutes(1));
    if (d.accepted()) co_await d.send();
    if (d.report().problem.empty() && d.content()) ++r.delivered;
    if (!d.report().problem.empty()) fmt::print(stderr, "{}\n", d.report().problem);
    if (!d.report().problem.empty()) break;
  }
  co_await link->close();
}

double send(const plan& p, const part_description& part, std::uint64_t& delivered) {
  asio::io_context loop(1);
  asio::thread_pool workers(1);
  auto dns = bench::or_die(net::resolver::create(loop, {}));
  const std::map<std::string, std::string, std::less<>> hosts{
      {p.to.substr(p.to.find('@') + 1), p.server}};
  net::sending_means means{loop, dns, workers, bench::context_of(p.who), hosts, {}};
  run r{p, part, means};
  const auto began = clock_type::now();
  for (std::size_t i = 0; i < p.connections; ++i)
    asio::co_spawn(loop, connection(r), asio::detached);
  loop.run();
  delivered = r.delivered;
  return std::chrono::duration<double>(clock_type::now() - began).count();
}

double fill(const plan& p, const part_description& part, std::uint64_t& queued) {
  auto queue = bench::or_die(service::queue::open(mailbox::posix_file_system(), p.queue));
  plain_body body;
  const auto began = clock_type::now();
  for (std::uint64_t i = 0; i < p.messages; ++i) {
    const std::string to = p.spread ? fmt::format("sink@dead{}.example", i) : p.to;
    const auto header = message(p, part, to, i);
    if (!bench::or_die(queue.add(header, body)).already) ++queued;
  }
  return std::chrono::duration<double>(clock_type::now() - began).count();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends many messages to one server.", "ima-source");
  plan p;
  bench::add_identity(app, p.who);
  app.add_option("--from", p.from, "The originator");
  app.add_option("--to", p.to, "The recipient");
  app.add_option("--server", p.server, "Where the recipient's host is reached");
  app.add_option("--queue", p.queue, "Put them into this queue instead");
  app.add_flag("--spread", p.spread, "With --queue: each to a host of its own");
  app.add_option("--messages", p.messages, "How many");
  app.add_option("--size", p.size, "Octets of each body");
  app.add_option("--connections", p.connections, "At the same time");
  CLI11_PARSE(app, argc, argv);
  part_description part;
  part.size = p.size;
  part.sha256 = digest_of_body(p.size);
  part.media_type = "text/plain";
  std::uint64_t done = 0;
  const double seconds = p.queue.empty() ? send(p, part, done) : fill(p, part, done);
  fmt::print("messages={} octets={} seconds={:.3f}\n", done, done * p.size, seconds);
  return done == p.messages ? 0 : 1;
}
