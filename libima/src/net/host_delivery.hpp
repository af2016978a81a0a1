#pragma once

#include "net/delivery_link.hpp"

#include <ima/net/sender.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace ima::net {

/// One message on its way to one host, in two steps: ask(), then send() or withdraw(), as all hosts
/// together decide. After each step report() says what is known.
class host_delivery {
 public:
  /// `whole` is the message's header block; the host is shown its own private lines only. `watcher`
  /// and `log` may be null.
  host_delivery(std::shared_ptr<delivery_link> link, const header_block& whole, body_source& body,
                send_observer* watcher, log_sink* log);

  /// Opens the link unless it is, and offers the header. Over by `until`.
  awaitable<void> ask(std::chrono::steady_clock::time_point until);
  /// Sends the body, if the host still waits for it.
  awaitable<void> send();
  /// Takes the offer back; `why` is told to the recipients, who are failed or deferred.
  void withdraw(bool permanent, const std::string& why);

  /// The host waits for the body.
  bool accepted() const noexcept { return about_.accepted && !about_.over; }
  /// The body went out, or began to.
  bool began() const noexcept { return began_; }
  /// The host takes the message, or all there have it.
  bool content() const;
  /// At least one recipient is refused for good.
  bool refused() const;

  host_report& report() noexcept { return report_; }
  const host_report& report() const noexcept { return report_; }
  delivery_link& link() noexcept { return *link_; }

 private:
  void hear(const delivery::client_event& event);
  void settle();
  void fail(const error& why);
  void trace(std::string_view name, std::string text) const;

  std::shared_ptr<delivery_link> link_;
  header_block header_;
  body_source& body_;
  send_observer* watcher_;
  log_sink* log_;
  exchange about_;
  host_report report_;
  bool began_ = false;
};

}  // namespace ima::net
