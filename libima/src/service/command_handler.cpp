#include "service/command.hpp"
#include "service/handler_lines.hpp"
#include "service/in_hand.hpp"
#include "service/peer.hpp"
#include "support/try.hpp"

#include <ima/service/command_handler.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ima::service {

using delivery::header_answer;

struct command_handler::state {
  command_handler_options options;
  in_hand working;

  explicit state(command_handler_options o) : options(std::move(o)) {}
};

namespace {

constexpr std::chrono::seconds longest_check{30};

// Lines that came before anybody could be told, and those after.
class line_store {
 public:
  explicit line_store(std::size_t most) : left_(most) {}

  void add(std::string_view line) {
    if (sink_ != nullptr) return pass_on(line, *sink_);
    if (left_ == 0) return;
    --left_;
    kept_.emplace_back(line);
  }
  void listen(delivery::reply_sink& sink) {
    for (const std::string& line : kept_) pass_on(line, sink);
    sink_ = &sink;
  }

 private:
  std::size_t left_;
  std::vector<std::string> kept_;
  delivery::reply_sink* sink_ = nullptr;
};

// A handler that looks again at who has the message finds those whom the check found, too: they had
// their line at the header stage.
class news_sink : public delivery::reply_sink {
 public:
  news_sink(delivery::reply_sink& sink, const std::vector<address>& known)
      : sink_(sink), known_(known) {}

  void result(const delivery::recipient_result& r) override {
    const bool told = std::find(known_.begin(), known_.end(), r.recipient) != known_.end();
    if (!told || r.what != delivery::outcome::ok) sink_.result(r);
  }
  void note(std::string_view text) override { sink_.note(text); }

 private:
  delivery::reply_sink& sink_;
  const std::vector<address>& known_;
};

class command_transaction : public delivery::transaction {
 public:
  command_transaction(std::shared_ptr<command_handler::state> s, const header_block& header,
                      const delivery::peer_info& peer)
      : state_(std::move(s)),
        header_(header),
        peer_(peer),
        lines_(header.recipients().size() + state_->options.bounds.notes) {}

  header_answer judge() override;
  ima::result<void> body(const part_slice& slice) override;
  delivery::final_answer finish(delivery::reply_sink& sink) override;
  bool waits_for_programs() const override { return true; }

 private:
  command what(std::vector<std::string> arguments) const;
  header_answer ask() const;
  result<void> begin();
  result<void> give(octets more);

  std::shared_ptr<command_handler::state> state_;
  header_block header_;
  delivery::peer_info peer_;
  std::optional<claim> claim_;
  std::vector<address> known_;  // who has it, as the check command found
  line_store lines_;
  std::optional<running_command> running_;
  std::string last_;  // the last octet, which waits for the whole to be verified
};

command command_transaction::what(std::vector<std::string> arguments) const {
  return {std::move(arguments), environment_of(peer_), state_->options.command_time};
}

header_answer command_transaction::judge() {
  header_answer answer;
  claim_.emplace(state_->working, key_of(header_, peer_));
  if (!claim_->ours()) {
    answer.why = delivery::reason::in_progress;
    return answer;
  }
  answer.what = header_answer::kind::accept;
  if (!state_->options.check_command.empty()) answer = ask();
  known_ = answer.already;
  return answer;
}

header_answer command_transaction::ask() const {
  std::vector<address> ours;
  for (const address& a : header_.recipients())
    if (a.host() == peer_.host) ours.push_back(a);
  check_lines lines(ours);
  octets left = header_.text();
  command asked = what(state_->options.check_command);
  asked.time = std::min<std::chrono::milliseconds>(asked.time, longest_check);
  const auto end = run(
      asked,
      [&](char* into, std::size_t size) -> result<std::size_t> {
        const std::size_t count = left.copy(into, size);
        left.remove_prefix(count);
        return count;
      },
      [&](std::string_view line) { lines.add(line); });
  return end ? lines.answer(*end) : header_answer{};
}

// The command begins with the first octets of the body, so that an offer that comes to nothing
// costs no process.
result<void> command_transaction::begin() {
  if (running_) return {};
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  IMA_TRY(his, with_received(header_, peer_, now, state_->options.bounds));
  IMA_TRY(started, running_command::start(what(state_->options.command),
                                          [this](std::string_view line) { lines_.add(line); }));
  running_.emplace(std::move(started));
  return give(his.text());
}

// All but the last octet so far.
result<void> command_transaction::give(octets more) {
  if (more.empty()) return {};
  IMA_CHECK(running_->write(last_));
  last_ = more.back();
  more.remove_suffix(1);
  return running_->write(more);
}

ima::result<void> command_transaction::body(const part_slice& slice) {
  IMA_CHECK(begin());
  return give(slice.bytes());
}

delivery::final_answer command_transaction::finish(delivery::reply_sink& sink) {
  auto good = begin();
  news_sink news(sink, known_);
  if (good) {
    lines_.listen(news);
    good = running_->write(last_);
  }
  if (!good) {
    sink.note(good.error().text);
    return {};
  }
  const command_end end = running_->finish();
  running_.reset();
  if (end.timed_out) sink.note("the handler took too long");
  return final_answer_of(end);
}

}  // namespace

command_handler::command_handler(command_handler_options options)
    : state_(std::make_shared<state>(std::move(options))) {}
command_handler::~command_handler() = default;

std::unique_ptr<delivery::transaction> command_handler::open(const header_block& header,
                                                             const delivery::peer_info& peer) {
  return std::make_unique<command_transaction>(state_, header, peer);
}

}  // namespace ima::service
