// Invariant: whatever octets a server sends, in whatever pieces, the client's session neither
// crashes nor loops; every offer ends in exactly one final event or in the end of the connection;
// results name exactly the message's recipients at this host; no message is called delivered whose
// body was not sent whole; and after `client_closed` nothing but `client_closed` comes.

#include "require.hpp"

#include <ima/delivery/client.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

using namespace ima;
using namespace ima::delivery;

namespace {

const header_block& message() {
  static const header_block header = [] {
    header_builder builder;
    builder.field("from", "alice@a.example");
    for (const auto* to : {"bob@b.example", "carol@c.example", "dan@b.example"})
      builder.field("to", to);
    part_description part;
    part.size = 5;
    part.sha256 = digest::of("hello");
    return builder.part(part).build().value();
  }();
  return header;
}

// A sender of a few messages: in one go, or one after another's answer.
class sender {
 public:
  explicit sender(bool eager) : eager_(eager) {}

  client session{client_options{"b.example", {}}};

  // Runs the session until it wants input; false when it is closed.
  bool run() {
    for (;;) {
      session.sent(session.pending_output().size());
      const client_event event = session.next_event();
      if (std::holds_alternative<client_closed>(event)) return false;
      if (std::holds_alternative<client_needs_input>(event)) return true;
      std::visit(*this, event);
    }
  }

  void operator()(const client_needs_input&) {}
  void operator()(const client_closed&) {}
  void operator()(const note_received&) {}
  void operator()(const recipient_reported& e) { require(e.line.recipient.host() == "b.example"); }
  void operator()(const greeting_received&) { offer(); }
  void operator()(const offer_accepted&) {
    if (!eager_) send_body();
  }
  void operator()(const offer_declined& e) { finish(e.results); }
  void operator()(const delivery_complete& e) { finish(e.results); }

 private:
  void offer() {
    for (; open_ < (eager_ ? 3 : 1) && offered_ < 6; ++open_, ++offered_) {
      if (!session.offer(message())) return;
      if (eager_) send_body();
    }
  }

  void send_body() {
    require(bool(session.data()) && bool(session.body("he")) && bool(session.body("llo")));
    require(!session.body("!"));
  }

  void finish(const std::vector<recipient_result>& results) {
    require(open_ > 0);
    --open_;
    require(results.size() == 2 && results[0].recipient.text() == "bob@b.example" &&
            results[1].recipient.text() == "dan@b.example");
    offer();
  }

  bool eager_;
  int open_ = 0;
  int offered_ = 0;
};

}  // namespace

// The first octet says how long the pieces are, and whether the sender waits for answers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  sender peer(bytes[0] % 2 == 0);
  const std::size_t piece_size = std::size_t{1} + bytes[0];
  const std::string input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  bool open = peer.run();
  for (std::size_t at = 0; at < input.size() && open; at += piece_size) {
    const std::string piece = input.substr(at, piece_size);  // so that a stale view is found
    peer.session.receive(piece);
    open = peer.run();
  }
  peer.session.receive_eof();
  require(!peer.run());
  require(!peer.run());
  return 0;
}
