#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace ima::service {

/// Which commands judge and take mail.
struct command_handler_options {
  /// The handler: a program and its arguments (docs/delivery.md section 10).
  std::vector<std::string> command;
  /// Judges header blocks; where empty, recipients are judged after the body.
  std::vector<std::string> check_command;
  limits bounds;  ///< Of what a command may print, and of messages.
  std::chrono::milliseconds command_time{300'000};  ///< For which a command may make us wait.
};

/// Gives every message to a command while it comes, and its lines and exit code back as results and
/// verdict (docs/delivery.md section 10). Thread-safe; its transactions may outlive it.
class IMA_API command_handler : public delivery::handler {
 public:
  /// Nothing is run before a message is offered.
  explicit command_handler(command_handler_options options);
  ~command_handler() override;

  std::unique_ptr<delivery::transaction> open(const header_block& header,
                                              const delivery::peer_info& peer) override;

  struct state;  ///< Opaque.

 private:
  std::shared_ptr<state> state_;
};

}  // namespace ima::service
