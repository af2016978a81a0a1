#pragma once

#include "service/command.hpp"

#include <ima/delivery/handler.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

// What commands print, turned into what docs/delivery.md section 10 makes of it.

namespace ima::service {

/// A line of a handler: a result, or whatever else it is as a note.
void pass_on(std::string_view line, delivery::reply_sink& sink);

/// The verdict and its like, by a handler's exit code.
delivery::final_answer final_answer_of(const command_end& end);

/// What a check command says of a message, line by line, and what it comes to.
class check_lines {
 public:
  /// `recipients` are the message's at our host.
  explicit check_lines(const std::vector<address>& recipients);
  void add(std::string_view line);
  delivery::header_answer answer(const command_end& end) const;

 private:
  std::unordered_set<std::string> silent_;  // keys of those about whom nothing was said
  std::optional<delivery::reason> why_;
  delivery::header_answer said_;
};

}  // namespace ima::service
