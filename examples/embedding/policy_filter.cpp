// A receiver with a policy in front of the built-in handler: programs are not taken, and a domain
// may send only so much.
//
//   policy_filter CHAIN KEY CA LISTEN MAX-OCTETS ADDRESS=MAILBOX...

#include <ima/net/delivery_server.hpp>
#include <ima/service/local_handler.hpp>

#include <charconv>
#include <iostream>
#include <string>

namespace {

namespace delivery = ima::delivery;

// Judges first; everything else is the inner transaction's business.
class filtered : public delivery::transaction {
 public:
  filtered(std::unique_ptr<delivery::transaction> inner, std::string why)
      : inner_(std::move(inner)), why_(std::move(why)) {}
  delivery::header_answer judge() override {
    if (why_.empty()) return inner_->judge();
    return {.what = delivery::header_answer::kind::reject,
            .why = delivery::reason::policy,
            .text = why_};
  }
  ima::result<void> body(const ima::part_slice& slice) override { return inner_->body(slice); }
  delivery::final_answer finish(delivery::reply_sink& sink) override {
    return inner_->finish(sink);
  }

 private:
  std::unique_ptr<delivery::transaction> inner_;
  std::string why_;
};

class filter : public delivery::handler {
 public:
  filter(delivery::handler& inner, std::uint64_t max) : inner_(inner), max_(max) {}
  std::unique_ptr<delivery::transaction> open(const ima::header_block& header,
                                              const delivery::peer_info& peer) override {
    return std::make_unique<filtered>(inner_.open(header, peer), objection(header, peer));
  }

 private:
  std::string objection(const ima::header_block& header, const delivery::peer_info& peer) const {
    for (const ima::part_info& part : header.parts())
      if (part.media_type == "application/x-executable") return "programs are not taken here";
    if (header.body_size() > max_) return peer.verified_domain + " may not send so much";
    return {};
  }

  delivery::handler& inner_;
  std::uint64_t max_;
};

ima::result<void> read_routes(int count, char** words, ima::service::routing_table& routes) {
  for (int i = 0; i < count; ++i) {
    const std::string word = words[i];
    auto address = ima::address::parse(word.substr(0, word.find('=')));
    if (!address) return address.error();
    routes.add_host(address->host());
    auto good = routes.add(*address, {.mailbox = word.substr(word.find('=') + 1)});
    if (!good) return good;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::cerr << "usage: policy_filter CHAIN KEY CA LISTEN MAX-OCTETS ADDRESS=MAILBOX...\n";
    return 64;
  }
  ima::service::routing_table routes;
  if (auto good = read_routes(argc - 6, argv + 6, routes); !good)
    return std::cerr << good.error().message() << '\n', 1;
  const auto tls = ima::tls::context::create(
      {.credentials = {{argv[1], argv[2]}}, .system_store = false, .ca_file = argv[3]});
  if (!tls) return std::cerr << tls.error().message() << '\n', 1;
  ima::service::local_handler mailboxes(ima::mailbox::posix_file_system(), routes);
  std::uint64_t max = 0;
  const std::string_view octets = argv[5];
  if (std::from_chars(octets.begin(), octets.end(), max).ptr != octets.end())
    return std::cerr << "MAX-OCTETS is a number\n", 64;
  filter handler(mailboxes, max);
  auto server = ima::net::delivery_server::create({.listen = {argv[4]}}, *tls, handler);
  if (!server) return std::cerr << server.error().message() << '\n', 1;
  std::cout << server->addresses().front() << std::endl;
  server->run();
}
