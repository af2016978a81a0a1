#pragma once

#include <ima/delivery/types.hpp>
#include <ima/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The lines of the delivery protocol (docs/delivery.md section 3), without any state.

namespace ima::delivery::grammar {

enum class verb : std::uint8_t { mail, data, cancel, done };

struct command {
  verb what = verb::done;
  std::uint64_t count = 0;  // of mail and data
};

/// Errors: fault::peer, rules `command`, `number`.
result<command> parse_command(std::string_view line);

struct greeting {
  std::string_view host;
  std::uint64_t max_size = 0;
  std::vector<std::string> capabilities;
};

/// Error: fault::peer, rule `greeting`.
result<greeting> parse_greeting(std::string_view line);
std::string format_greeting(std::string_view host, std::uint64_t max_size);

struct accept_line {};
struct refusal_line {
  bool permanent = false;
  std::string_view word;
  std::string_view text;
};
struct verdict_line {
  verdict what = verdict::defer;
};
struct recipient_line {
  outcome what = outcome::defer;
  address recipient;
  std::string_view text;
};
struct note_line {
  std::string_view text;
};
struct close_line {
  std::string_view text;
};
using reply =
    std::variant<accept_line, refusal_line, verdict_line, recipient_line, note_line, close_line>;

/// Error: fault::peer, rule `reply`.
result<reply> parse_reply(std::string_view line);

/// Text that stands in a reply is cut to this many octets.
inline constexpr std::size_t max_text = 512;

std::string format_refusal(bool permanent, std::string_view word, std::string_view text);
std::string format_result(outcome what, std::string_view recipient, std::string_view text);

}  // namespace ima::delivery::grammar
