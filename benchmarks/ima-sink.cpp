// ima-sink: a receiving server that takes every message and keeps none. It says on standard output
// where it listens, and runs until it is killed.

#include "common.hpp"

#include <ima/delivery/handler.hpp>
#include <ima/net/delivery_server.hpp>

#include <memory>

namespace {

using namespace ima;

class swallow : public delivery::transaction {
 public:
  delivery::header_answer judge() override {
    delivery::header_answer answer;
    answer.what = delivery::header_answer::kind::accept;
    return answer;
  }
  result<void> body(const part_slice&) override { return {}; }
  delivery::final_answer finish(delivery::reply_sink&) override {
    return {delivery::verdict::ok, false};
  }
};

class sink : public delivery::handler {
 public:
  std::unique_ptr<delivery::transaction> open(const header_block&,
                                              const delivery::peer_info&) override {
    return std::make_unique<swallow>();
  }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Takes IMA mail and keeps none of it.", "ima-sink");
  bench::identity who;
  bench::add_identity(app, who);
  net::delivery_server_options options;
  options.listen = {"127.0.0.1:0"};
  options.connections_per_peer = options.connections;
  options.bounds.body = UINT64_MAX / 2;
  app.add_option("--listen", options.listen, "Where to listen");
  CLI11_PARSE(app, argc, argv);
  sink handler;
  auto server =
      bench::or_die(net::delivery_server::create(options, bench::context_of(who), handler));
  fmt::print("{}\n", server.addresses().at(0));
  std::fflush(stdout);
  server.run();
  return 0;
}
