#include "service/command.hpp"
#include "service/exit_status.hpp"
#include "service/in_hand.hpp"
#include "service/local_recipients.hpp"
#include "service/outcomes.hpp"
#include "service/peer.hpp"
#include "service/sent_on.hpp"
#include "service/spool.hpp"
#include "support/try.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/service/local_handler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace ima::service {

using delivery::header_answer;
using delivery::outcome;

struct local_handler::state {
  mailbox::file_system& disk;
  std::shared_ptr<const routing_table> routes;
  local_handler_options options;
  in_hand working;

  state(mailbox::file_system& d, std::shared_ptr<const routing_table> r, local_handler_options o)
      : disk(d), routes(std::move(r)), options(std::move(o)) {}
};

class local_transaction : public delivery::transaction {
 public:
  local_transaction(std::shared_ptr<local_handler::state> s, const header_block& header,
                    const delivery::peer_info& peer)
      : state_(std::move(s)), header_(header), peer_(peer) {}

  header_answer judge() override;
  ima::result<void> body(const part_slice& slice) override;
  delivery::final_answer finish(delivery::reply_sink& sink) override;
  bool waits_for_programs() const override;

 private:
  result<void> begin();
  result<void> begin_mailboxes();
  mailbox::record record_for(const address& a) const;
  void finish_mailboxes();
  command_input whole(const header_block& header) const;
  command prepared(std::vector<std::string> arguments, const address& who) const;
  void run_command(const local_recipient& r, const destination& to, delivery::reply_sink& sink,
                   combined& sum) const;
  void send_on(const local_recipient& r, std::span<const address> to, delivery::reply_sink& sink,
               combined& sum) const;
  void send_on_to_all(const local_recipient& r, delivery::reply_sink& sink, combined& sum) const;
  void deliver(const local_recipient& r, delivery::reply_sink& sink);

  std::shared_ptr<local_handler::state> state_;
  header_block header_;
  delivery::peer_info peer_;
  std::optional<claim> claim_;
  local_recipients to_;
  std::vector<std::size_t> begun_boxes_;  // of to_.boxes, in the order of the delivery's targets
  std::optional<mailbox::delivery> delivery_;
  std::optional<spool> spool_;
  bool begun_ = false;
  tally results_;
};

header_answer local_transaction::judge() {
  header_answer answer;
  claim_.emplace(state_->working, key_of(header_, peer_));
  if (!claim_->ours()) {
    answer.why = delivery::reason::in_progress;
    return answer;
  }
  auto found = local_recipients::of(header_, peer_, *state_->routes, state_->disk);
  if (!found) {
    answer.why = delivery::reason::storage;
    answer.text = std::string(store_failure);
    return answer;
  }
  to_ = *std::move(found);
  for (std::size_t i = 0; i < to_.already.size(); ++i) results_.add(outcome::ok);
  return to_.answer();
}

mailbox::record local_transaction::record_for(const address& a) const {
  mailbox::record made;
  made.verified_domain = peer_.verified_domain;
  made.peer = peer_.address;
  made.tls = peer_.tls;
  if (!peer_.verified_domain.empty()) made.certificate = peer_.certificate.hex();
  made.received = timestamp{state_->disk.now(), {}};
  made.recipient = a.text();
  return made;
}

// Known once it is judged; until then it waits for nothing but the disk.
bool local_transaction::waits_for_programs() const {
  return std::any_of(to_.waiting.begin(), to_.waiting.end(), [](const local_recipient& r) {
    return !r.commands.empty() || !r.elsewhere.empty();
  });
}

// With the first octets of the body, so that an offer that comes to nothing costs no file.
result<void> local_transaction::begin() {
  if (std::exchange(begun_, true)) return {};
  if (state_->options.write_received) {
    IMA_TRY(stored, with_received(header_, peer_, state_->disk.now(), state_->options.bounds));
    header_ = stored;
  }
  if (waits_for_programs()) {  // each of which reads it from the start
    IMA_TRY(made, spool::create());
    spool_.emplace(std::move(made));
  }
  return begin_mailboxes();
}

result<void> local_transaction::begin_mailboxes() {
  std::vector<mailbox::target> targets;
  for (std::size_t i = 0; i < to_.boxes.size(); ++i) {
    const local_box& box = to_.boxes[i];
    if (box.already || box.full) continue;
    targets.push_back({box.path, box.whose, record_for(box.whose)});
    begun_boxes_.push_back(i);
  }
  if (targets.empty()) return {};
  IMA_TRY(begun, mailbox::delivery::begin(state_->disk, header_, std::move(targets)));
  delivery_.emplace(std::move(begun));
  return {};
}

ima::result<void> local_transaction::body(const part_slice& slice) {
  IMA_CHECK(begin());
  if (delivery_) IMA_CHECK(delivery_->write(slice));
  if (spool_) IMA_CHECK(spool_->append(slice.bytes()));
  return {};
}

void local_transaction::finish_mailboxes() {
  if (!delivery_) return;
  auto ends = delivery_->commit();
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (!ends[i]) to_.boxes[begun_boxes_[i]].failed = std::move(ends[i]).error();
}

// The message with this header block, from the start.
command_input local_transaction::whole(const header_block& header) const {
  return [this, header, at = std::uint64_t{0}](char* into,
                                               std::size_t size) mutable -> result<std::size_t> {
    const octets head = header.text();
    if (at < head.size()) {
      const std::size_t count = head.copy(into, size, static_cast<std::size_t>(at));
      at += count;
      return count;
    }
    IMA_TRY(count, spool_->read_at(at - head.size(), into, size));
    at += count;
    return count;
  };
}

command local_transaction::prepared(std::vector<std::string> arguments, const address& who) const {
  command what{std::move(arguments), environment_of(peer_), state_->options.command_time};
  what.environment.emplace_back("IMA_RECIPIENT", who.text());
  return what;
}

void local_transaction::run_command(const local_recipient& r, const destination& to,
                                    delivery::reply_sink& sink, combined& sum) const {
  std::string last;
  const auto end = run(prepared(arguments_for(to.what.command, to.whose), r.who),
                       whole(header_.for_recipient(r.who)), [&](std::string_view line) {
                         last = line;
                         sink.note(fmt::format("{} {}", r.who.text(), line));
                       });
  if (!end) return sum.add(outcome::defer, end.error().text);
  if (end->timed_out) return sum.add(outcome::defer, "the command took too long");
  sum.add(outcome_of(*end), last);
}

// Gives the message to the send command, as an alias sends it on. A mixture is tried again while
// one of its hosts may take it later: those that have it know it by its digest.
void local_transaction::send_on(const local_recipient& r, std::span<const address> to,
                                delivery::reply_sink& sink, combined& sum) const {
  if (state_->options.send_command.empty())
    return sum.add(outcome::defer, "there is no way to send it on");
  const auto rewritten = sent_on(header_, r.who, to, state_->options.bounds);
  if (!rewritten) return sum.add(outcome::fail, rewritten.error().text);
  std::string last;
  bool later = false;
  const auto end = run(prepared(state_->options.send_command, r.who), whole(*rewritten),
                       [&](std::string_view line) {
                         if (!line.starts_with("OK ")) last = line;
                         later = later || line.starts_with("DEFER ");
                         sink.note(fmt::format("{} {}", r.who.text(), line));
                       });
  if (!end) return sum.add(outcome::defer, end.error().text);
  if (end->status == exit_status::mixed)
    return sum.add(later ? outcome::defer : outcome::fail, last);
  sum.add(outcome_of(*end), last);
}

// As many members at a time as the limit of recipients lets a message name.
void local_transaction::send_on_to_all(const local_recipient& r, delivery::reply_sink& sink,
                                       combined& sum) const {
  const std::size_t most = room_for_members(header_, state_->options.bounds);
  if (most == 0 && !r.elsewhere.empty())
    return sum.add(outcome::fail, "the message names too many recipients to be sent on");
  for (std::span<const address> left = r.elsewhere; !left.empty();) {
    const auto some = left.first(std::min(most, left.size()));
    send_on(r, some, sink, sum);
    left = left.subspan(some.size());
  }
}

// Everything about one recipient, and his result.
void local_transaction::deliver(const local_recipient& r, delivery::reply_sink& sink) {
  combined sum;
  if (!r.refused.empty()) sum.add(outcome::fail, r.refused);
  if (r.deferred) sum.add(outcome::defer, std::string(store_failure));
  for (const std::size_t i : r.boxes) {
    const local_box& box = to_.boxes[i];
    if (box.full) sum.add(outcome::fail, "the mailbox is full");
    if (box.failed) sum.add(outcome_of(*box.failed), box.failed->text);
  }
  for (const destination& to : r.commands) run_command(r, to, sink, sum);
  if (r.refused.empty()) send_on_to_all(r, sink, sum);
  for (const address& a : r.nonexistent)
    sink.note(fmt::format("{} {} does not exist", r.who.text(), a.text()));
  const delivery::recipient_result result = sum.of(r.who);
  results_.add(result.what);
  sink.result(result);
}

delivery::final_answer local_transaction::finish(delivery::reply_sink& sink) {
  if (auto good = begin(); !good) {
    sink.note(store_failure);
    return {};
  }
  finish_mailboxes();
  for (const local_recipient& r : to_.waiting) deliver(r, sink);
  return {results_.sum(), false};
}

local_handler::local_handler(mailbox::file_system& disk,
                             std::shared_ptr<const routing_table> routes,
                             local_handler_options options)
    : state_(std::make_shared<state>(disk, std::move(routes), std::move(options))) {}

local_handler::local_handler(mailbox::file_system& disk, const routing_table& routes,
                             local_handler_options options)
    : local_handler(disk, {std::shared_ptr<void>(), &routes}, std::move(options)) {}

local_handler::~local_handler() = default;

std::unique_ptr<delivery::transaction> local_handler::open(const header_block& header,
                                                           const delivery::peer_info& peer) {
  return std::make_unique<local_transaction>(state_, header, peer);
}

}  // namespace ima::service
