// Invariant: whatever octets a sender sends, in whatever pieces, the server's session neither
// crashes nor stalls nor grows without bound; only verified slices of an accepted message come out,
// no more of them than the header block announced; every output line is well-formed; and after
// `server_closed` nothing but `server_closed` comes.

#include "require.hpp"
#include "wire/words.hpp"

#include <ima/delivery/server.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

using namespace ima;
using namespace ima::delivery;

namespace {

// A receiver that decides by the message's size, so that every answer is reached.
class receiver {
 public:
  explicit receiver(const limits& bounds) : session({"b.example", bounds}) {}

  server session;

  // Runs the session until it wants input; false when it is closed.
  bool run() {
    for (;;) {
      drain();
      const server_event event = session.next_event();
      if (std::holds_alternative<server_closed>(event)) return false;
      if (std::holds_alternative<server_needs_input>(event)) return true;
      std::visit(*this, event);
    }
  }

  void operator()(const server_needs_input&) {}
  void operator()(const server_waits&) { require(session.pending_output().size() > 0); }
  void operator()(const server_closed&) {}
  void operator()(const offer_refused& e) { require(!e.problem.rule.empty()); }
  void operator()(const offer_cancelled&) { require(announced_ > 0 || taken_ == 0); }
  void operator()(const body_damaged& e) { require(e.problem.kind == fault::peer); }

  void operator()(const message_offered& e) {
    require(!session.conclude(verdict::ok));
    announced_ = e.header.body_size();
    taken_ = 0;
    const std::size_t choice = e.header.size() % 5;
    header_answer answer;
    answer.what = choice < 2    ? header_answer::kind::accept
                  : choice == 2 ? header_answer::kind::defer
                  : choice == 3 ? header_answer::kind::reject
                                : header_answer::kind::verdict;
    answer.text = e.header.subject();
    require(bool(session.answer(answer)));
    if (choice == 1 && announced_ % 3 == 0) require(bool(session.lapse()));
  }

  void operator()(const body_received& e) {
    taken_ += e.slice.bytes().size();
    require(taken_ <= announced_);
    if (taken_ % 7 == 3) require(bool(session.abandon({fault::temporary, "fuzz", "", "enough"})));
  }

  void operator()(const body_complete&) {
    require(taken_ == announced_);
    require(bool(session.note("a\nremark")));
    require(bool(session.conclude(verdict::partial)));
  }

 private:
  void drain() {
    octets out = session.pending_output();
    require(out.empty() || out.back() == '\n');
    while (!out.empty()) {
      const std::size_t end = out.find('\n');
      require(end < 4096 && bool(wire::check_text(out.substr(0, end), "output")));
      out.remove_prefix(end + 1);
    }
    session.sent(session.pending_output().size());
  }

  std::uint64_t announced_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace

// The first octet says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  limits bounds;
  bounds.wire_line = 256;
  bounds.body = 1000;
  receiver peer(bounds);
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
