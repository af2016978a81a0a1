#include <ima/service/handler_switch.hpp>

#include <utility>

namespace ima::service {
namespace {

// Keeps its handler until the message is over.
class held_transaction : public delivery::transaction {
 public:
  held_transaction(std::shared_ptr<delivery::handler> owner,
                   std::unique_ptr<delivery::transaction> inside)
      : owner_(std::move(owner)), inside_(std::move(inside)) {}

  delivery::header_answer judge() override { return inside_->judge(); }
  ima::result<void> body(const part_slice& slice) override { return inside_->body(slice); }
  delivery::final_answer finish(delivery::reply_sink& sink) override {
    return inside_->finish(sink);
  }
  bool waits_for_programs() const override { return inside_->waits_for_programs(); }

 private:
  std::shared_ptr<delivery::handler> owner_;  // outlives what follows
  std::unique_ptr<delivery::transaction> inside_;
};

}  // namespace

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
  return std::make_unique<held_transaction>(std::move(current), std::move(inside));
}

}  // namespace ima::service
