#pragma once

#include "net/asio.hpp"
#include "net/connection.hpp"

#include <ima/delivery/client.hpp>
#include <ima/net/sender.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ima::net {

/// What all hosts of one message share: they wait for each other's answers to the header.
struct header_round {
  explicit header_round(asio::io_context& loop, std::size_t hosts)
      : unanswered(hosts), over(loop, asio::steady_timer::time_point::max()) {}

  /// One host has answered.
  void answered(bool accepts) {
    --unanswered;
    all_accept = all_accept && accepts;
    if (unanswered == 0) over.cancel();
  }

  std::size_t unanswered;
  bool all_accept = true;
  asio::steady_timer over;  // cancelled when the last host has answered
};

/// Sends one message to one host: header, the common decision, body, verdict.
class host_delivery {
 public:
  host_delivery(asio::io_context& loop, std::string host, header_block header, body_source& body,
                const tls::context& tls, const sender_options& options);

  /// Runs to its end; then report() is whole.
  awaitable<void> run(header_round& round);
  host_report& report() noexcept { return report_; }
  /// True once the body went out.
  bool sent_body() const noexcept { return sent_body_; }

 private:
  awaitable<result<void>> connect();
  awaitable<result<bool>> header_stage();
  awaitable<result<void>> body_stage();
  awaitable<result<void>> send_body();
  awaitable<result<void>> read_more();
  awaitable<std::optional<error>> wait_for_answer();
  result<void> flush();
  void fail(const error& why);
  void note(const delivery::client_event& event);
  void trace(std::string_view name, std::string text) const;

  asio::io_context& loop_;
  header_block header_;
  body_source& body_;
  const tls::context& tls_;
  const sender_options& options_;
  host_report report_;
  delivery::client session_;
  std::shared_ptr<connection> connection_;
  bool answered_ = false;  // the header stage has ended
  bool accepted_ = false;
  bool finished_ = false;  // results are final
  bool sent_body_ = false;
};

}  // namespace ima::net
