#include "messages.hpp"

#include <ima/delivery/client.hpp>
#include <ima/delivery/server.hpp>

#include <doctest/doctest.h>

#include <random>

// A client and a server session joined in memory, with octets split, delayed and cut off.

namespace d = ima::delivery;

namespace {

const std::string body_text(3000, 'b');

// Takes up to `most` octets off a session's output into `into`.
template <class Session>
void carry(Session& from, std::string& into, std::size_t most) {
  const std::size_t count = std::min(most, from.pending_output().size());
  into += from.pending_output().substr(0, count);
  from.sent(count);
}

class pair {
 public:
  pair(unsigned seed, int messages) : random_(seed), left_(messages) {}

  // Runs until nothing moves; `cut` octets in each direction at most.
  void run(std::size_t cut) {
    for (int quiet = 0; quiet < 50; ++quiet) {
      const std::size_t before = moved_;
      turn(cut);
      if (moved_ != before) quiet = 0;
    }
  }

  int verdicts = 0;
  int delivered = 0;
  int refusals = 0;
  std::optional<d::server_closed> server_end;
  std::optional<d::client_closed> client_end;

  void lose_connection() {
    server_.receive_eof();
    client_.receive_eof();
    serve();
    listen();
  }

 private:
  std::size_t chance(std::size_t most) { return random_() % (most + 1); }

  void turn(std::size_t cut) {
    send();
    const std::size_t before = upward_.size();
    carry(client_, upward_, std::min(chance(400), cut - std::min(cut, sent_up_)));
    sent_up_ += upward_.size() - before;
    moved_ += upward_.size() - before;
    serve();
    std::string down;
    carry(server_, down, std::min(chance(60), cut - std::min(cut, sent_down_)));
    sent_down_ += down.size();
    moved_ += down.size();
    client_.receive(down);
    listen();
  }

  void send() {
    if (!greeted_ || client_end) return;
    if (left_ > 0 && client_.offer(header_)) {
      --left_;
      unsent_ = body_text;
      if (chance(9) == 0 && client_.cancel()) unsent_ = {};
    }
    if (unsent_.size() == body_text.size() && !client_.data()) unsent_ = {};  // refused already
    if (!unsent_.empty()) {
      const ima::octets piece = unsent_.substr(0, 1 + chance(unsent_.size() - 1));
      CHECK(client_.body(piece));
      unsent_.remove_prefix(piece.size());
    }
    if (left_ == 0 && unsent_.empty()) (void)client_.done();
  }

  // Octets that the server does not want yet wait, as they would in a socket.
  void serve() {
    for (bool fed = false;;) {
      const auto event = server_.next_event();
      if (std::holds_alternative<d::message_offered>(event)) CHECK(server_.answer(judge()));
      if (std::holds_alternative<d::body_complete>(event)) finish();
      if (const auto* end = std::get_if<d::server_closed>(&event)) server_end = *end;
      if (server_end || std::holds_alternative<d::server_waits>(event)) return;
      if (!std::holds_alternative<d::server_needs_input>(event)) continue;
      if (std::exchange(fed, true)) return;
      given_ = std::exchange(upward_, "");
      server_.receive(given_);
    }
  }

  void finish() {
    ++delivered;
    for (std::size_t i = chance(3); i > 0; --i) CHECK(server_.note("a remark"));
    CHECK(server_.conclude(d::verdict::ok));
  }

  d::header_answer judge() {
    d::header_answer answer;
    answer.what = chance(3) == 0 ? d::header_answer::kind::defer : d::header_answer::kind::accept;
    answer.why = d::reason::busy;
    return answer;
  }

  void listen() {
    for (;;) {
      const auto event = client_.next_event();
      if (std::holds_alternative<d::greeting_received>(event)) greeted_ = true;
      if (std::holds_alternative<d::delivery_complete>(event)) ++verdicts;
      if (std::holds_alternative<d::offer_declined>(event)) ++refusals;
      if (const auto* end = std::get_if<d::client_closed>(&event)) client_end = *end;
      if (client_end || std::holds_alternative<d::client_needs_input>(event)) return;
    }
  }

  std::minstd_rand random_;
  ima::header_block header_ = sample::header({"bob@b.example"}, {body_text});
  d::server server_{{"b.example", {}}};
  d::client client_{{"b.example", {}}};
  std::string upward_;  // sent by the client, not yet taken
  std::string given_;   // what the server's views refer to
  ima::octets unsent_;
  int left_;
  bool greeted_ = false;
  std::size_t sent_up_ = 0;
  std::size_t sent_down_ = 0;
  std::size_t moved_ = 0;
};

}  // namespace

TEST_CASE("client and server agree however the octets between them are split") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed ", seed);
    pair both(seed, 12);
    both.run(SIZE_MAX);
    both.lose_connection();  // after DONE
    REQUIRE(both.server_end.has_value());
    REQUIRE(both.client_end.has_value());
    CHECK_FALSE(both.server_end->problem);
    CHECK_FALSE(both.client_end->problem);
    CHECK(both.verdicts == both.delivered);
    CHECK(both.verdicts + both.refusals <= 12);
  }
}

TEST_CASE("a connection cut off anywhere never shows more than was delivered") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    INFO("seed ", seed);
    pair both(seed, 4);
    both.run(seed * 37 % 9000);
    both.lose_connection();
    REQUIRE(both.client_end.has_value());
    CHECK(both.verdicts <= both.delivered);
    if (both.client_end->problem) CHECK(both.client_end->problem->kind != ima::fault::peer);
  }
}
