// Invariant: a message is read the same in whatever pieces it comes: the same header, the same
// octets of the same parts, the same error. No octet is made up.

#include "require.hpp"

#include <ima/message.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

using namespace ima;

namespace {

struct outcome {
  std::string header;
  std::vector<std::string> parts;
  bool complete = false;
  std::string rule;

  // How much of a damaged part is handed out before the damage shows depends on the pieces.
  bool operator==(const outcome& other) const {
    return header == other.header && rule == other.rule && (!complete || parts == other.parts);
  }
};

struct take {
  outcome& seen;
  bool operator()(const need_input&) const { return false; }
  bool operator()(const header_received& h) const {
    seen.header = h.header.text();
    seen.parts.resize(h.header.parts().size());
    return true;
  }
  bool operator()(const part_received& p) const {
    std::string& part = seen.parts.at(p.slice.part());
    part += p.slice.bytes();
    if (p.slice.last()) part += "|";
    return true;
  }
  bool operator()(const message_complete&) const {
    seen.complete = true;
    return false;
  }
};

// Takes events until there are none; false when the message is over.
bool drain(message_parser& parser, outcome& seen) {
  for (;;) {
    const auto event = parser.next();
    if (!event) {
      seen.rule = event.error().rule;
      require(parser.next().error() == event.error());
      return false;
    }
    if (!std::visit(take{seen}, *event)) return !seen.complete;
  }
}

outcome read_in_pieces(octets input, std::size_t piece) {
  message_parser parser;
  outcome seen;
  while (!input.empty()) {
    parser.feed(input.substr(0, piece));
    input.remove_prefix(std::min(piece, input.size()));
    if (!drain(parser, seen)) return seen;
  }
  parser.finish();
  drain(parser, seen);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const octets input(reinterpret_cast<const char*>(bytes), size);
  const outcome whole = read_in_pieces(input, std::max<std::size_t>(size, 1));
  require(whole.complete == whole.rule.empty());
  require(read_in_pieces(input, 1) == whole);
  require(read_in_pieces(input, 7) == whole);
  if (!whole.complete) return 0;
  std::string again = whole.header;
  for (const std::string& part : whole.parts) again += part.substr(0, part.size() - 1);
  require(input.starts_with(again));
  return 0;
}
