#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/export.hpp>

#include <memory>
#include <mutex>

namespace ima::service {

class in_hand;

/// A handler that can be exchanged while a server runs: messages in hand go on with the one they
/// began with, and a copy of one that comes meanwhile is deferred (`in-progress`,
/// docs/delivery.md section 5) whichever it would go to. Thread-safe.
class IMA_API handler_switch : public delivery::handler {
 public:
  /// `first` is asked until another one is set.
  explicit handler_switch(std::shared_ptr<delivery::handler> first);
  ~handler_switch() override;

  /// New messages go to `next` from now on. Neither handler is null.
  void use(std::shared_ptr<delivery::handler> next);
  std::unique_ptr<delivery::transaction> open(const header_block& header,
                                              const delivery::peer_info& peer) override;

 private:
  std::mutex mutex_;
  std::shared_ptr<delivery::handler> now_;
  std::shared_ptr<in_hand> working_;
};

}  // namespace ima::service
