#pragma once

#include "delivery/grammar.hpp"

#include <array>
#include <cstdint>
#include <optional>

// The receiver's states and what each command does in them: the table of docs/delivery.md
// section 4.

namespace ima::delivery {

enum class server_state : std::uint8_t {
  ready,      // a message, or the end, may come
  declined,   // as ready, but the sender may have sent DATA or CANCEL before it knew
  header,     // octets of a header block are coming
  oversized,  // octets of a header block over the limit are being dropped
  judging,    // the caller is to answer
  accepted,   // DATA or CANCEL must come
  body,       // octets of the body are coming
  spoiled,    // as body, but it is dropped and its answer is known
  dropping,   // octets of a body that was declined are being dropped
  finishing,  // the caller is to give the verdict
  closed,
};

enum class action : std::uint8_t {
  illegal,
  take_header,
  take_body,
  drop_body,
  cancel,
  ignore,
  end
};

/// What a command does in a state that reads commands.
constexpr action transition(server_state state, grammar::verb verb) {
  struct row {
    server_state state;
    grammar::verb verb;
    action what;
  };
  using s = server_state;
  using v = grammar::verb;
  constexpr std::array<row, 8> rows{{
      {s::ready, v::mail, action::take_header},
      {s::ready, v::done, action::end},
      {s::declined, v::mail, action::take_header},
      {s::declined, v::done, action::end},
      {s::declined, v::data, action::drop_body},
      {s::declined, v::cancel, action::ignore},
      {s::accepted, v::data, action::take_body},
      {s::accepted, v::cancel, action::cancel},
  }};
  for (const row& r : rows)
    if (r.state == state && r.verb == verb) return r.what;
  return action::illegal;
}

}  // namespace ima::delivery
