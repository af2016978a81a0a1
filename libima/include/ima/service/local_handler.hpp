#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/routing.hpp>

#include <chrono>
#include <memory>

namespace ima::service {

struct local_handler_options {
  limits bounds;
  std::chrono::seconds command_time{300};  ///< Then the command is ended and its mail deferred.
};

/// The built-in handler: routes each recipient to a mailbox or a command in this process
/// (docs/delivery.md section 10). Thread-safe.
class IMA_API local_handler : public delivery::handler {
 public:
  /// `disk` and `routes` are not owned and outlive the handler.
  local_handler(mailbox::file_system& disk, const routing_table& routes,
                local_handler_options options = {});
  ~local_handler() override;

  std::unique_ptr<delivery::transaction> open(const header_block& header,
                                              const delivery::peer_info& peer) override;

  struct state;  ///< Opaque.

 private:
  std::shared_ptr<state> state_;
};

}  // namespace ima::service
