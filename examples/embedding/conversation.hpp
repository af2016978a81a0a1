#pragma once

#include <ima/delivery/client.hpp>
#include <ima/service/message_file.hpp>
#include <ima/tls/engine.hpp>

#include <chrono>
#include <string>

/// One delivery without input or output: octets of the network in and out, a verdict in the end.
/// What carries the octets is up to the program: poll(2) in deliver_with_poll.cpp, Asio in
/// deliver_with_asio.cpp.
class conversation {
 public:
  static ima::result<conversation> begin(const ima::tls::credential& own, const std::string& ca,
                                         const std::string& hostpart, const std::string& message);

  /// Takes octets from the network; none is its end.
  ima::result<void> receive(ima::octets ciphertext);
  /// Octets for the network; tell how many went.
  ima::octets output();
  void sent(std::size_t count) { tls_.sent(count); }
  std::chrono::milliseconds timeout() const;

  bool over() const noexcept { return over_; }
  bool delivered() const noexcept { return delivered_; }

 private:
  conversation(ima::tls::engine tls, ima::service::message_file message, std::string host);
  ima::result<void> take_events();
  ima::result<void> take(const ima::delivery::client_event& event);
  ima::result<void> send_piece();

  ima::tls::engine tls_;
  ima::delivery::client session_;
  ima::service::message_file message_;
  std::uint64_t body_sent_ = 0;
  bool sending_ = false;
  bool over_ = false;
  bool delivered_ = false;
};
