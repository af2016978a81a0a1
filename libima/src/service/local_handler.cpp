#include "service/command.hpp"
#include "service/spool.hpp"
#include "support/try.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/service/local_handler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace ima::service {

using delivery::header_answer;
using delivery::outcome;
using delivery::recipient_result;
using delivery::verdict;

struct local_handler::state {
  mailbox::file_system& disk;
  const routing_table& routes;
  local_handler_options options;
  std::mutex mutex;
  std::set<std::string> in_hand;  // digest and hostpart of messages being worked on; by mutex

  state(mailbox::file_system& d, const routing_table& r, local_handler_options o)
      : disk(d), routes(r), options(std::move(o)) {}
};

namespace {

// The claim on a message while it is in hand, so that a second copy waits.
class claim {
 public:
  claim(std::mutex& mutex, std::set<std::string>& in_hand, std::string key)
      : mutex_(mutex), in_hand_(in_hand) {
    const std::lock_guard lock(mutex_);
    if (in_hand_.insert(key).second) key_ = std::move(key);
  }
  claim(const claim&) = delete;
  claim& operator=(const claim&) = delete;
  ~claim() {
    const std::lock_guard lock(mutex_);
    if (key_) in_hand_.erase(*key_);
  }
  bool ours() const noexcept { return key_.has_value(); }

 private:
  std::mutex& mutex_;
  std::set<std::string>& in_hand_;
  std::optional<std::string> key_;
};

// Results of recipients add up to the verdict (docs/delivery.md section 8).
class tally {
 public:
  void add(outcome o) {
    ok_ += o == outcome::ok ? 1 : 0;
    deferred_ += o == outcome::defer ? 1 : 0;
    ++all_;
  }
  verdict sum() const {
    if (ok_ == all_) return verdict::ok;
    if (deferred_ == all_) return verdict::defer;
    if (ok_ == 0 && deferred_ == 0) return verdict::fail;
    return verdict::partial;
  }

 private:
  int ok_ = 0;
  int deferred_ = 0;
  int all_ = 0;
};

outcome outcome_of(const error& why) {
  const bool later = why.kind == fault::temporary || why.kind == fault::unknown;
  return later ? outcome::defer : outcome::fail;
}

outcome outcome_of(const command_end& end) {
  if (end.status == 0) return outcome::ok;
  return end.status == 1 ? outcome::fail : outcome::defer;
}

struct recipient {
  address who;
  const route* how;
};

}  // namespace

class local_transaction : public delivery::transaction {
 public:
  local_transaction(std::shared_ptr<local_handler::state> s, const header_block& header,
                    const delivery::peer_info& peer)
      : state_(std::move(s)), header_(header), peer_(peer) {}

  header_answer judge() override;
  ima::result<void> body(const part_slice& slice) override;
  delivery::final_answer finish(delivery::reply_sink& sink) override;

 private:
  bool concerns_us(const address& a) const;
  result<void> sort_recipients(header_answer& answer);
  result<void> begin();
  result<header_block> with_received() const;
  mailbox::record record_for(const address& a) const;
  void finish_mailboxes(delivery::reply_sink& sink);
  recipient_result run_command(const recipient& r, delivery::reply_sink& sink);
  void report(const recipient_result& r, delivery::reply_sink& sink);

  std::shared_ptr<local_handler::state> state_;
  header_block header_;
  delivery::peer_info peer_;
  std::optional<claim> claim_;
  std::vector<recipient> mailboxes_;
  std::vector<recipient> commands_;
  std::optional<mailbox::delivery> delivery_;
  std::optional<spool> spool_;
  tally results_;
};

// Over a connection only the hostpart it was opened for; otherwise every hostpart of ours.
bool local_transaction::concerns_us(const address& a) const {
  if (!peer_.host.empty()) return a.host() == peer_.host;
  return state_->routes.is_ours(a.host()) || state_->routes.find(a) != nullptr;
}

result<void> local_transaction::sort_recipients(header_answer& answer) {
  for (const address& a : header_.recipients()) {
    if (!concerns_us(a)) continue;
    const route* const how = state_->routes.find(a);
    if (how == nullptr) {
      answer.unknown.push_back(a);
      continue;
    }
    if (how->mailbox.empty()) {
      commands_.push_back({a, how});
      continue;
    }
    IMA_TRY(there, mailbox::contains(state_->disk, how->mailbox, header_.id_digest()));
    if (there)
      answer.already.push_back(a);
    else
      mailboxes_.push_back({a, how});
  }
  return {};
}

header_answer local_transaction::judge() {
  using kind = header_answer::kind;
  header_answer answer;
  claim_.emplace(state_->mutex, state_->in_hand, header_.id_digest().hex() + peer_.host);
  if (!claim_->ours()) {
    answer.why = delivery::reason::in_progress;
    return answer;
  }
  auto good = sort_recipients(answer);
  for (std::size_t i = 0; i < answer.already.size(); ++i) results_.add(outcome::ok);
  const bool nobody = mailboxes_.empty() && commands_.empty();
  if (good && (!answer.unknown.empty() || (nobody && answer.already.empty()))) {
    answer.what = kind::reject;
    answer.why = delivery::reason::recipients;
    answer.text = answer.unknown.empty() ? "no recipient is ours" : "unknown recipients";
    return answer;
  }
  if (good && nobody) {
    answer.what = kind::verdict;
    answer.final_verdict = verdict::ok;
    return answer;
  }
  if (good) good = begin();
  if (!good) {
    // The reasons of a full or failing disk are the operator's, not the sender's, to read.
    answer.why = delivery::reason::storage;
    answer.text = "the store fails";
    return answer;
  }
  answer.what = kind::accept;
  return answer;
}

result<header_block> local_transaction::with_received() const {
  if (peer_.verified_domain.empty()) return header_;
  limits bounds = state_->options.bounds;
  bounds.received += 1;  // ours
  bounds.header_block += bounds.header_line;
  const timestamp now{state_->disk.now(), {}};
  return header_.with_line(fmt::format("received: {} by={} from={} peer={} tls={} certificate={}",
                                       now.text(), peer_.host, peer_.verified_domain, peer_.address,
                                       peer_.tls, peer_.certificate.hex()),
                           bounds);
}

mailbox::record local_transaction::record_for(const address& a) const {
  mailbox::record made;
  made.verified_domain = peer_.verified_domain;
  made.peer = peer_.address;
  made.tls = peer_.tls;
  made.received = timestamp{state_->disk.now(), {}};
  made.recipient = a.text();
  return made;
}

result<void> local_transaction::begin() {
  IMA_TRY(stored, with_received());
  header_ = stored;
  if (!commands_.empty()) {
    IMA_TRY(made, spool::create());
    spool_.emplace(std::move(made));
  }
  if (mailboxes_.empty()) return {};
  std::vector<mailbox::target> targets;
  for (const recipient& r : mailboxes_)
    targets.push_back({r.how->mailbox, r.who, record_for(r.who)});
  IMA_TRY(begun, mailbox::delivery::begin(state_->disk, header_, std::move(targets)));
  delivery_.emplace(std::move(begun));
  return {};
}

ima::result<void> local_transaction::body(const part_slice& slice) {
  if (delivery_) IMA_CHECK(delivery_->write(slice));
  if (spool_) IMA_CHECK(spool_->append(slice.bytes()));
  return {};
}

void local_transaction::report(const recipient_result& r, delivery::reply_sink& sink) {
  results_.add(r.what);
  sink.result(r);
}

void local_transaction::finish_mailboxes(delivery::reply_sink& sink) {
  const auto ends = delivery_->commit();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const address& who = mailboxes_[i].who;
    if (ends[i])
      report({who, outcome::ok, ""}, sink);
    else
      report({who, outcome_of(ends[i].error()), ends[i].error().text}, sink);
  }
}

recipient_result local_transaction::run_command(const recipient& r, delivery::reply_sink& sink) {
  const header_block his = header_.for_recipient(r.who);
  std::uint64_t at = 0;
  const command_input input = [&](char* into, std::size_t size) -> result<std::size_t> {
    const octets head = his.text();
    if (at < head.size()) {
      const std::size_t count = head.copy(into, size, static_cast<std::size_t>(at));
      at += count;
      return count;
    }
    IMA_TRY(count, spool_->read_at(at - head.size(), into, size));
    at += count;
    return count;
  };
  command what{arguments_for(r.how->command, r.who),
               {{"IMA_RECIPIENT", std::string(r.who.text())},
                {"IMA_HOST", peer_.host},
                {"IMA_VERIFIED_DOMAIN", peer_.verified_domain},
                {"IMA_PEER", peer_.address},
                {"IMA_PEER_TLS", peer_.tls},
                {"IMA_PEER_CERTIFICATE", peer_.certificate.hex()}},
               state_->options.command_time};
  std::string last;
  auto end = run(what, input, [&](std::string_view line) {
    last = line;
    sink.note(fmt::format("{} {}", r.who.text(), line));
  });
  if (!end) return {r.who, outcome::defer, end.error().text};
  if (end->timed_out) return {r.who, outcome::defer, "the command took too long"};
  const outcome what_came = outcome_of(*end);
  return {r.who, what_came, what_came == outcome::ok ? "" : last};
}

delivery::final_answer local_transaction::finish(delivery::reply_sink& sink) {
  if (delivery_) finish_mailboxes(sink);
  for (const recipient& r : commands_) report(run_command(r, sink), sink);
  return {results_.sum(), false};
}

local_handler::local_handler(mailbox::file_system& disk, const routing_table& routes,
                             local_handler_options options)
    : state_(std::make_shared<state>(disk, routes, std::move(options))) {}

local_handler::~local_handler() = default;

std::unique_ptr<delivery::transaction> local_handler::open(const header_block& header,
                                                           const delivery::peer_info& peer) {
  return std::make_unique<local_transaction>(state_, header, peer);
}

}  // namespace ima::service
