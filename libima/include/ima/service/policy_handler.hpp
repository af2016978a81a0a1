#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/export.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace ima::service {

/// Which command judges mail before the handler does.
struct policy_options {
  std::vector<std::string> command;  ///< A program and its arguments.
  bool only_with_mailer = false;     ///< Ask it only about messages that have a `mailer:`.
  std::chrono::milliseconds command_time{30'000};  ///< Then it is ended, and the mail deferred.
};

/// Asks a command about every message that another handler would accept (docs/delivery.md
/// section 10.3). Thread-safe.
class IMA_API policy_handler : public delivery::handler {
 public:
  /// `inside` is not null, and lives as long as this handler, which outlives its transactions.
  policy_handler(std::shared_ptr<delivery::handler> inside, policy_options options);
  ~policy_handler() override;

  std::unique_ptr<delivery::transaction> open(const header_block& header,
                                              const delivery::peer_info& peer) override;

 private:
  std::shared_ptr<delivery::handler> inside_;
  policy_options options_;
};

}  // namespace ima::service
