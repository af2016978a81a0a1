#include "transcript.hpp"
#include "wire/words.hpp"

#include <ima/delivery/client.hpp>
#include <ima/delivery/server.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

// The words are those of tests/transcripts/delivery/README.md.

using namespace ima;
using namespace ima::delivery;

namespace {

std::string with_text(std::string words, std::string_view text) {
  return text.empty() ? words : fmt::format("{} {}", words, text);
}

std::string end_words(const std::optional<error>& problem) {
  return problem ? fmt::format("closed {}", problem->rule) : "closed";
}

template <class Word>
Word from_word(std::string_view word, std::initializer_list<Word> all) {
  for (const Word w : all)
    if (to_string(w) == word) return w;
  FAIL("no such word: ", word);
  return *all.begin();
}

verdict verdict_from(std::string_view word) {
  return from_word(word, {verdict::ok, verdict::fail, verdict::partial, verdict::defer});
}

address address_from(std::string_view text) { return address::parse(text).value(); }

limits small_bounds() {
  limits bounds;
  bounds.body = 1000;
  return bounds;
}

class server_role {
 public:
  char side() const { return 'S'; }
  void receive(std::string_view octets) { session_.receive(octets); }
  void receive_eof() { session_.receive_eof(); }

  void poll(transcript::reports& seen) {
    for (;;) {
      const server_event event = session_.next_event();
      if (std::holds_alternative<server_needs_input>(event) ||
          std::holds_alternative<server_waits>(event))
        return;
      if (const auto* end = std::get_if<server_closed>(&event)) {
        if (!std::exchange(closed_, true)) seen.add(end_words(end->problem));
        return;
      }
      if (const std::string words = describe(event); !words.empty()) seen.add(words);
    }
  }

  void decide(std::string_view words) {
    const std::string_view word = wire::take_word(words);
    if (word == "already") return answer_.already.push_back(address_from(words));
    if (word == "unknown") return answer_.unknown.push_back(address_from(words));
    if (word == "stop") return session_.stop();
    if (word == "result") return report(words);
    const result<void> done = word == "lapse"      ? session_.lapse()
                              : word == "note"     ? session_.note(words)
                              : word == "abandon"  ? abandon(words)
                              : word == "conclude" ? session_.conclude(verdict_from(words))
                                                   : answer(word, words);
    CHECK(done);
  }

  std::string take_output() {
    const std::string out(session_.pending_output());
    session_.sent(out.size());
    return out;
  }

 private:
  std::string describe(const server_event& event) {
    if (std::holds_alternative<message_offered>(event)) return "offered";
    if (std::holds_alternative<body_complete>(event)) return "body-end";
    if (std::holds_alternative<offer_cancelled>(event)) return "cancelled";
    if (const auto* e = std::get_if<offer_refused>(&event))
      return fmt::format("refused {} {}", to_string(e->why), e->problem.rule);
    if (const auto* e = std::get_if<body_damaged>(&event)) {
      part_octets_ = 0;
      return fmt::format("damaged {}", e->problem.rule);
    }
    const part_slice& slice = std::get<body_received>(event).slice;
    part_octets_ += slice.bytes().size();
    if (!slice.last()) return "";
    return fmt::format("part {} {}", slice.part() + 1, std::exchange(part_octets_, 0));
  }

  result<void> answer(std::string_view word, std::string_view rest) {
    using kind = header_answer::kind;
    header_answer answer = std::exchange(answer_, {});
    if (word == "accept") answer.what = kind::accept;
    if (word == "verdict") {
      answer.what = kind::verdict;
      answer.final_verdict = verdict_from(rest);
    }
    if (word == "reject" || word == "defer") {
      answer.what = word == "reject" ? kind::reject : kind::defer;
      answer.why = reason_from(wire::take_word(rest)).value();
      answer.text = rest;
    }
    return session_.answer(answer);
  }

  result<void> abandon(std::string_view rest) {
    wire::take_word(rest);
    return session_.abandon({fault::temporary, "handler", "/a/path/of/ours", std::string(rest)});
  }

  void report(std::string_view rest) {
    const outcome what = from_word(
        wire::take_word(rest), {outcome::ok, outcome::fail, outcome::defer, outcome::no_recipient});
    const address recipient = address_from(wire::take_word(rest));
    CHECK(session_.report({recipient, what, std::string(rest)}));
  }

  server session_{server_options{"b.example", small_bounds()}};
  header_answer answer_;
  std::size_t part_octets_ = 0;
  bool closed_ = false;
};

struct describe_client {
  transcript::reports& seen;

  void operator()(const client_needs_input&) const {}
  void operator()(const client_closed&) const {}
  void operator()(const offer_accepted&) const { seen.add("accepted"); }
  void operator()(const note_received& e) const { seen.add("note " + e.text); }
  void operator()(const greeting_received& e) const {
    std::string words = fmt::format("greeting {}", e.max_size);
    for (const std::string& word : e.capabilities) words += " " + word;
    seen.add(words);
  }
  void operator()(const recipient_reported& e) const {
    seen.add(with_text(fmt::format("result {} {}", to_string(e.line.what), e.line.recipient.text()),
                       e.line.text));
  }
  void operator()(const offer_declined& e) const {
    const std::string_view keyword = e.permanent ? "REJECT" : "DEFER";
    seen.add(with_text(fmt::format("declined {} {}", keyword, e.word), e.text));
    results(e.results);
  }
  void operator()(const delivery_complete& e) const {
    seen.add(fmt::format("complete {}", to_string(e.what)));
    results(e.results);
  }

 private:
  void results(const std::vector<recipient_result>& all) const {
    std::string words = "results";
    for (const recipient_result& r : all)
      words += fmt::format(" {}={}", r.recipient.text(), to_string(r.what));
    seen.add(words);
  }
};

class client_role {
 public:
  char side() const { return 'C'; }
  void receive(std::string_view octets) { session_.receive(octets); }
  void receive_eof() { session_.receive_eof(); }

  void poll(transcript::reports& seen) {
    for (;;) {
      const client_event event = session_.next_event();
      if (std::holds_alternative<client_needs_input>(event)) return;
      if (const auto* end = std::get_if<client_closed>(&event)) {
        if (!std::exchange(closed_, true)) seen.add(end_words(end->problem));
        return;
      }
      std::visit(describe_client{seen}, event);
    }
  }

  void decide(std::string_view words) {
    const std::string_view word = wire::take_word(words);
    const std::string octets = transcript::unescape(words);
    const result<void> done = word == "data"     ? session_.data()
                              : word == "cancel" ? session_.cancel()
                              : word == "done"   ? session_.done()
                              : word == "body"   ? session_.body(octets)
                                                 : offer(octets);
    CHECK(done);
  }

  std::string take_output() {
    const std::string out(session_.pending_output());
    session_.sent(out.size());
    return out;
  }

 private:
  result<void> offer(octets block) {
    const auto header = header_block::parse(block);
    REQUIRE_MESSAGE(header, header.error().message());
    return session_.offer(*header);
  }

  client session_{client_options{"b.example", {}}};
  bool closed_ = false;
};

}  // namespace

TEST_CASE("every delivery transcript holds in the server's role, however it is split") {
  transcript::replay_all("delivery", [] { return server_role(); });
}

TEST_CASE("every delivery transcript holds in the client's role, however it is split") {
  transcript::replay_all("delivery", [] { return client_role(); });
}
