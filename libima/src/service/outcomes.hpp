#pragma once

#include "service/command.hpp"
#include "service/exit_status.hpp"

#include <ima/delivery/handler.hpp>

#include <string>
#include <utility>

namespace ima::service {

/// Results of recipients add up to the verdict (docs/delivery.md section 8).
class tally {
 public:
  void add(delivery::outcome o) {
    ok_ += o == delivery::outcome::ok ? 1 : 0;
    deferred_ += o == delivery::outcome::defer ? 1 : 0;
    ++all_;
  }
  delivery::verdict sum() const {
    if (ok_ == all_) return delivery::verdict::ok;
    if (deferred_ == all_) return delivery::verdict::defer;
    if (ok_ == 0 && deferred_ == 0) return delivery::verdict::fail;
    return delivery::verdict::partial;
  }

 private:
  int ok_ = 0;
  int deferred_ = 0;
  int all_ = 0;
};

/// What several destinations make of one recipient: deferred while one of them is, else failed
/// where one of them is, with the first reason of that kind.
class combined {
 public:
  void add(delivery::outcome what, std::string text) {
    const bool worse = what == delivery::outcome::defer
                           ? what_ != what
                           : what_ == delivery::outcome::ok && what != delivery::outcome::ok;
    if (!worse) return;
    what_ = what;
    text_ = std::move(text);
  }
  delivery::recipient_result of(const address& who) const { return {who, what_, text_}; }

 private:
  delivery::outcome what_ = delivery::outcome::ok;
  std::string text_;
};

inline delivery::outcome outcome_of(const error& why) {
  const bool later = why.kind == fault::temporary || why.kind == fault::unknown;
  return later ? delivery::outcome::defer : delivery::outcome::fail;
}

inline delivery::outcome outcome_of(const command_end& end) {
  if (end.status == exit_status::ok) return delivery::outcome::ok;
  return end.status == exit_status::failed ? delivery::outcome::fail : delivery::outcome::defer;
}

}  // namespace ima::service
