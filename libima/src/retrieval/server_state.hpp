#pragma once

#include "retrieval/request_grammar.hpp"
#include "retrieval/states.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"
#include "wire/paced_run.hpp"

#include <ima/retrieval/server.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ima::retrieval {

/// The body of a message that a request offers (docs/retrieval.md section 5.11).
enum class body_phase : std::uint8_t {
  none,     ///< The request has none.
  offered,  ///< The header block was handed over.
  awaited,  ///< ACCEPT was said: DATA or CANCEL comes next.
  flowing,  ///< Its octets come.
  over,     ///< All of it came, or CANCEL.
};

/// The request that waits for its answer, as far as the answer depends on it.
struct request_in_hand {
  command what;
  std::uint64_t lines_left = 0;  // at most so many reply lines may still come
  std::string id;                // FETCH
  std::uint64_t part = 0;
  bool part_begun = false;
  std::uint64_t octets_left = 0;
  std::vector<watched_folder> watched;  // WATCH
  body_phase body = body_phase::none;
  std::uint64_t body_size = 0;
  bool cancelled = false;
};

inline error out_of_turn(std::string_view what) {
  return error{fault::caller, "out-of-turn", "", std::string(what)};
}

struct server::state {
  explicit state(server_options o);

  // The client's octets, in server.cpp.
  server_event next();
  std::optional<server_event> advance();
  std::optional<server_event> take_counted();
  std::optional<server_event> take_line();
  std::optional<server_event> begin(parsed_request parsed);
  std::optional<server_event> take_dropped();
  std::optional<server_event> take_body();
  std::optional<server_event> take_body_line();
  std::optional<server_event> stray_body(const parsed_request& parsed);
  server_event starve();
  server_event give_up();
  server_event hand_over(parsed_request parsed);
  bool body_is_due() const noexcept;
  bool between_requests() const noexcept;
  bool refuse_now(const parsed_request& parsed);
  std::optional<server_event> broken_framing(const error& why);

  // Answers, in server_answers.cpp.
  result<void> expect_line(line kind);
  result<void> expect_end(ending kind);
  result<void> refuse_proof();
  void end_request(std::string_view text);
  void finish_request();
  void say_events();

  void refuse(const error& why);
  void close(std::optional<error> why);

  server_options options;
  wire::input input;
  wire::output output;
  phase now = phase::unauthenticated;
  std::optional<parsed_request> awaiting_octets;  // what the line announced has not all come
  std::optional<request_in_hand> in_hand;
  wire::paced_run run;        // the body that flows, or octets that are dropped
  bool dropping = false;      // `run` is nobody's
  bool body_refused = false;  // a DATA or CANCEL that comes next belongs to a refused message
  std::size_t auth_failures = 0;
  std::uint64_t steps = 0;
  bool shutting_down = false;
  std::vector<watched_folder> events;  // to be said between replies
  std::set<std::string, std::less<>> watched;
  std::optional<error> why_closed;
};

}  // namespace ima::retrieval
