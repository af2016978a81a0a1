#include "service/command.hpp"
#include "service/exit_status.hpp"
#include "service/peer.hpp"
#include "wire/words.hpp"

#include <ima/service/policy_handler.hpp>

#include <optional>
#include <string>
#include <utility>

namespace ima::service {
namespace {

using delivery::header_answer;
using delivery::reason;
using kind = header_answer::kind;

header_answer refused(kind what, reason why, std::string text) {
  header_answer answer;
  answer.what = what;
  answer.why = why;
  answer.text = std::move(text);
  return answer;
}

// Nothing where the policy has no objection.
std::optional<header_answer> ask(const policy_options& policy, const header_block& header,
                                 const delivery::peer_info& peer) {
  octets left = header.text();
  std::optional<std::string> first;
  const auto end = run(
      {policy.command, environment_of(peer), policy.command_time},
      [&](char* into, std::size_t size) -> result<std::size_t> {
        const std::size_t count = left.copy(into, size);
        left.remove_prefix(count);
        return count;
      },
      [&](std::string_view line) {
        if (!first) first = line;
      });
  if (end && end->status == exit_status::ok) return std::nullopt;
  if (end && end->status == exit_status::failed)
    return refused(kind::reject, reason::policy, first.value_or(""));
  if (end && end->status == exit_status::deferred)
    return refused(kind::defer, reason::policy, first.value_or(""));
  return refused(kind::defer, reason::internal, "the policy cannot be asked");
}

class policy_transaction : public delivery::transaction {
 public:
  policy_transaction(std::unique_ptr<delivery::transaction> inside, const policy_options& policy,
                     header_block header, delivery::peer_info peer)
      : inside_(std::move(inside)),
        policy_(policy),
        header_(std::move(header)),
        peer_(std::move(peer)) {}

  header_answer judge() override {
    judged_ = true;
    header_answer answer = inside_->judge();
    if (answer.what != kind::accept) return answer;
    if (!is_asked()) return answer;
    auto objection = ask(policy_, header_, peer_);
    return objection ? std::move(*objection) : answer;
  }
  ima::result<void> body(const part_slice& slice) override { return inside_->body(slice); }
  delivery::final_answer finish(delivery::reply_sink& sink) override {
    return inside_->finish(sink);
  }
  bool waits_for_programs() const override {
    return (!judged_ && is_asked()) || inside_->waits_for_programs();
  }

 private:
  bool is_asked() const { return !policy_.only_with_mailer || header_.mailer(); }

  std::unique_ptr<delivery::transaction> inside_;
  policy_options policy_;
  header_block header_;
  delivery::peer_info peer_;
  bool judged_ = false;
};

}  // namespace

policy_handler::policy_handler(std::shared_ptr<delivery::handler> inside, policy_options options)
    : inside_(std::move(inside)), options_(std::move(options)) {}
policy_handler::~policy_handler() = default;

std::unique_ptr<delivery::transaction> policy_handler::open(const header_block& header,
                                                            const delivery::peer_info& peer) {
  return std::make_unique<policy_transaction>(inside_->open(header, peer), options_, header, peer);
}

}  // namespace ima::service
