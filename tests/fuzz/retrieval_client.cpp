// Invariant: whatever octets a server sends, in whatever pieces, the client's session neither
// crashes nor grows without bound, hands on only what was asked for and within its limits, and
// repeats its error once it has failed.

#include "require.hpp"

#include <ima/retrieval/client.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

using namespace ima;
using namespace ima::retrieval;

namespace {

// One request of each kind, so that every reply is legal somewhere.
void ask_everything(client& session) {
  const std::vector<std::string> ids{"a", "b"};
  require(bool(session.authenticate("bob", "swordfish")));
  require(bool(session.folders()));
  require(bool(session.status("inbox")));
  require(bool(session.changes("inbox", first_token, 3)));
  require(bool(session.headers("inbox", ids)));
  require(bool(session.fetch("inbox", "a", 1, 2, 10)));
  require(bool(session.flag("inbox", ids, {{"seen"}, {"junk"}, 4})));
  require(bool(session.remove("inbox", ids)));
  require(bool(session.move("inbox", "trash", ids)));
  require(bool(session.copy("inbox", "lists/ima dev", ids)));
  require(bool(session.create_folder("x", "sent")));
  require(bool(session.search("inbox", "", 2, {{"ada"}, {}, {}, {"x y"}, {}, {}, {}, {}, {}, {}})));
  require(bool(session.quota()));
  require(bool(session.change_password("a", "b")));
  const std::vector<watched_folder> folders{{"inbox", "1"}};
  require(bool(session.watch(folders)));
  require(bool(session.queue()));
  header_builder builder;
  builder.field("from", "bob@b.example").field("to", "alice@a.example");
  const header_block header = builder.build().value();
  require(bool(session.append({"inbox", {"seen"}, {}}, header)) && bool(session.body("")));
  require(bool(session.send({}, header)) && bool(session.body("")));
  require(bool(session.done()));
}

struct check {
  const limits& bounds;
  void operator()(const reply::header& h) const {
    require((h.id == "a" || h.id == "b") && h.block.size() <= bounds.header_block &&
            h.record.size() <= bounds.header_block);
  }
  void operator()(const reply::part_begin& p) const {
    require(p.id == "a" && p.part == 1 && p.offset == 2 && p.length <= 10);
  }
  void operator()(const reply::part_octets& p) const { require(!p.bytes.empty()); }
  void operator()(const reply::outcome& o) const {
    require(o.what.recipient.text() == "alice@a.example");
  }
  void operator()(const reply::gone& g) const { require(g.id == "a" || g.id == "b"); }
  template <class Other>
  void operator()(const Other&) const {}
};

// Runs the session until it waits; false when it is over.
bool run(client& session, const limits& bounds) {
  for (;;) {
    auto event = session.next_event();
    if (!event) {
      require(session.next_event().error() == event.error());
      return false;
    }
    std::visit(check{bounds}, *event);
    if (std::holds_alternative<reply::closed>(*event)) return false;
    if (std::holds_alternative<reply::need_input>(*event)) return true;
  }
}

}  // namespace

// The first octet says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  limits bounds;
  bounds.header_block = 100;
  client session({"b.example", bounds});
  ask_everything(session);
  const std::size_t piece_size = std::size_t{1} + bytes[0];
  std::string input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  bool open = true;
  for (std::size_t at = 0; at < input.size() && open; at += piece_size) {
    const std::string piece = input.substr(at, piece_size);  // so that a stale view is found
    session.receive(piece);
    open = run(session, bounds);
  }
  session.receive_eof();
  require(!run(session, bounds));
  return 0;
}
