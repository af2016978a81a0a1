#include "conversation.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <utility>
#include <variant>

namespace delivery = ima::delivery;

conversation::conversation(ima::tls::engine tls, ima::service::message_file message,
                           std::string host)
    : tls_(std::move(tls)), session_({std::move(host), {}}), message_(std::move(message)) {}

ima::result<conversation> conversation::begin(const ima::tls::credential& own,
                                              const std::string& ca, const std::string& hostpart,
                                              const std::string& message) {
  auto file = ima::service::message_file::open(message);
  if (!file) return file.error();
  const auto context =
      ima::tls::context::create({.credentials = {own}, .system_store = false, .ca_file = ca});
  if (!context) return context.error();
  auto tls = ima::tls::engine::client(*context, hostpart, file->header().originator().host());
  if (!tls) return tls.error();
  conversation made(*std::move(tls), *std::move(file), hostpart);
  const auto offered = made.session_.offer(made.message_.header().for_host(hostpart));
  if (!offered) return offered.error();
  return made;
}

ima::result<void> conversation::receive(ima::octets ciphertext) {
  if (ciphertext.empty())
    tls_.receive_eof();
  else
    tls_.receive(ciphertext);
  std::array<char, 16384> plain;
  for (;;) {
    const auto count = tls_.read(plain.data(), plain.size());
    if (!count) return count.error();
    if (*count == 0) break;
    session_.receive({plain.data(), *count});
    if (auto good = take_events(); !good) return good;
  }
  if (tls_.closed()) session_.receive_eof();
  return take_events();
}

ima::result<void> conversation::take_events() {
  while (!over_) {
    const auto event = session_.next_event();
    if (std::holds_alternative<delivery::client_needs_input>(event)) break;
    if (auto good = take(event); !good) return good;
  }
  return {};
}

ima::result<void> conversation::take(const delivery::client_event& event) {
  if (std::holds_alternative<delivery::offer_accepted>(event)) {
    sending_ = true;
    return session_.data();
  }
  if (const auto* declined = std::get_if<delivery::offer_declined>(&event)) {
    std::cout << (declined->permanent ? "REJECT " : "DEFER ") << declined->word << '\n';
  } else if (const auto* end = std::get_if<delivery::delivery_complete>(&event)) {
    std::cout << to_string(end->what) << '\n';
    delivered_ = end->what == delivery::verdict::ok;
  } else if (const auto* closed = std::get_if<delivery::client_closed>(&event)) {
    return closed->problem.value_or(ima::error{ima::fault::temporary, "closed", "", "closed"});
  } else {
    return {};  // a greeting, a recipient's line, a note
  }
  over_ = true;
  return session_.done();
}

// The session encrypts a piece of the body when the one before has left for the network.
ima::octets conversation::output() {
  if (sending_ && tls_.pending_output().empty())
    if (!send_piece()) sending_ = false;  // cut short, which the server notices
  const ima::octets plain = session_.pending_output();
  if (tls_.handshake_done() && !plain.empty() && tls_.write(plain)) session_.sent(plain.size());
  return tls_.pending_output();
}

ima::result<void> conversation::send_piece() {
  std::array<char, 16384> piece;
  const std::uint64_t left = message_.header().body_size() - body_sent_;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left));
  if (auto good = message_.read_at(body_sent_, piece.data(), count); !good) return good;
  body_sent_ += count;
  sending_ = count < left;
  return session_.body({piece.data(), count});
}

std::chrono::milliseconds conversation::timeout() const {
  return session_.timeout().value_or(std::chrono::seconds(60));
}
