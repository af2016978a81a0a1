#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/routing.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace ima::service {

/// How the built-in handler works.
struct local_handler_options {
  limits bounds;  ///< Of messages and of what commands print.
  /// Whether the copies get a `received:` line; not where the server that received the message has
  /// written it.
  bool write_received = true;
  /// What an alias gives a message to that goes to other hosts, as *server-send-mail*; empty where
  /// there is no way to send.
  std::vector<std::string> send_command;
  std::chrono::milliseconds command_time{
      300'000};  ///< Then the command is ended and its mail deferred.
};

/// The built-in handler: routes each recipient to a mailbox or a command in this process
/// (docs/delivery.md section 10.4). Thread-safe; its transactions may outlive it, but not disk and
/// routes.
class IMA_API local_handler : public delivery::handler {
 public:
  /// `disk` is not owned and outlives the handler.
  local_handler(mailbox::file_system& disk, std::shared_ptr<const routing_table> routes,
                local_handler_options options = {});
  /// The same with `routes` that outlive the handler.
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
