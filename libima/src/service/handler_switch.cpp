#include "service/in_hand.hpp"

#include <ima/service/handler_switch.hpp>

#include <optional>
#include <string>
#include <utility>

namespace ima::service {
namespace {

// Keeps its handler until the message is over. A handler knows what it has in hand itself, but not
// what the one before it has.
class held_transaction : public delivery::transaction {
 public:
  held_transaction(std::shared_ptr<delivery::handler> owner,
                   std::unique_ptr<delivery::transaction> inside, std::shared_ptr<in_hand> working,
                   std::string key)
      : owner_(std::move(owner)),
        inside_(std::move(inside)),
        working_(std::move(working)),
        key_(std::move(key)) {}

  delivery::header_answer judge() override {
    claim_.emplace(*working_, key_);
    if (claim_->ours()) return inside_->judge();
    delivery::header_answer answer;
    answer.why = delivery::reason::in_progress;
    return answer;
  }
  ima::result<void> body(const part_slice& slice) override { return inside_->body(slice); }
  delivery::final_answer finish(delivery::reply_sink& sink) override {
    return inside_->finish(sink);
  }
  bool waits_for_programs() const override { return inside_->waits_for_programs(); }

 private:
  std::shared_ptr<delivery::handler> owner_;  // outlives what follows
  std::unique_ptr<delivery::transaction> inside_;
  std::shared_ptr<in_hand> working_;
  std::string key_;
  std::optional<claim> claim_;
};

}  // namespace

handler_switch::handler_switch(std::shared_ptr<delivery::handler> first)
    : now_(std::move(first)), working_(std::make_shared<in_hand>()) {}
handler_switch::~handler_switch() = default;

void handler_switch::use(std::shared_ptr<delivery::handler> next) {
  const std::lock_guard lock(mutex_);
  now_.swap(next);  // the old one, if nobody has it in hand, goes after the lock
}

std::unique_ptr<delivery::transaction> handler_switch::open(const header_block& header,
                                                            const delivery::peer_info& peer) {
  std::shared_ptr<delivery::handler> current;
  {
    const std::lock_guard lock(mutex_);
    current = now_;
  }
  auto inside = current->open(header, peer);
  return std::make_unique<held_transaction>(std::move(current), std::move(inside), working_,
                                            key_of(header, peer));
}

}  // namespace ima::service
