#include "support/try.hpp"
#include "tls/engine_state.hpp"
#include "tls/facts.hpp"

#include <ima/address.hpp>
#include <ima/tls/engine.hpp>

#include <fmt/format.h>
#include <openssl/err.h>

#include <utility>

namespace ima::tls {
namespace {

// Messages of TLS itself that a peer may send after the handshake. Honest ones are few: a server's
// tickets, a change of keys every 2^24 records. Each costs an answer or memory, and no plaintext
// shows that the peer gets anywhere.
constexpr std::size_t most_late_messages = 100;

void count_late_messages(int writing, int, int kind, const void*, std::size_t, SSL* ssl, void*) {
  engine::state& s = state_of(ssl);
  if (writing == 0 && kind == SSL3_RT_HANDSHAKE && s.handshake_done) ++s.late_messages;
}

}  // namespace

engine::state& state_of(const SSL* ssl) {
  return *static_cast<engine::state*>(SSL_get_app_data(ssl));
}

namespace {

// The rule behind a failure that OpenSSL found by itself, by the first error of its queue.
std::string_view rule_of_failure(unsigned long code) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return "tls-handshake";
  const int reason = ERR_GET_REASON(code);
  if (reason >= SSL_AD_REASON_OFFSET) return "tls-alert";
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) return "certificate-missing";
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL) return "tls-version";
  return "tls-handshake";
}

}  // namespace

error engine::state::failure(int status) {
  const int kind = SSL_get_error(ssl.get(), status);
  const unsigned long code = ERR_peek_last_error();
  const bool cut = in.at_end() && (kind == SSL_ERROR_SYSCALL ||
                                   ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
  std::string text = openssl_errors();
  if (cut)
    return {fault::temporary, "tls-truncated", "", "the connection ended without a TLS close"};
  if (found && !handshake_done) return *found;
  const std::string_view rule = rule_of_failure(code);
  if (rule == "tls-alert") text.insert(0, "the other side refused us: ");
  return {fault::peer, rule, "", text.empty() ? "TLS failed" : text};
}

void engine::state::finish_handshake() {
  peer.cipher = fmt::format("{}/{}", SSL_get_version(ssl.get()), SSL_get_cipher_name(ssl.get()));
  handshake_done = true;
}

result<void> engine::state::handshake() {
  if (handshake_done) return {};
  ERR_clear_error();
  const int status = SSL_do_handshake(ssl.get());
  if (status == 1) {
    finish_handshake();
    return {};
  }
  if (SSL_get_error(ssl.get(), status) == SSL_ERROR_WANT_READ && !in.at_end()) return {};
  return failure(status);
}

result<std::size_t> engine::state::decrypt(char* buffer, std::size_t size) {
  ERR_clear_error();
  std::size_t got = 0;
  const int status = SSL_read_ex(ssl.get(), buffer, size, &got);
  const int kind = SSL_get_error(ssl.get(), status);
  if (late_messages > most_late_messages)
    return error{fault::peer, "tls-flood", "", "too many messages of TLS after the handshake"};
  if (status == 1) return got;
  if (kind == SSL_ERROR_WANT_READ && !in.at_end()) return std::size_t{0};
  if (kind != SSL_ERROR_ZERO_RETURN) return failure(status);
  closed = true;
  in.drop();
  return std::size_t{0};
}

namespace {

result<std::unique_ptr<engine::state>> make_state(const context& with, bool serving) {
  auto made = std::make_unique<engine::state>(with);
  made->serving = serving;
  made->ssl.reset(SSL_new(with.inside().ssl.get()));
  BIO* const bio = made->ssl ? make_bio(*made) : nullptr;
  if (bio == nullptr) return error{fault::temporary, "tls-handshake", "", openssl_errors()};
  SSL_set_bio(made->ssl.get(), bio, bio);
  SSL_set_app_data(made->ssl.get(), made.get());
  SSL_set_msg_callback(made->ssl.get(), count_late_messages);
  serving ? SSL_set_accept_state(made->ssl.get()) : SSL_set_connect_state(made->ssl.get());
  return made;
}

}  // namespace

result<engine> engine::client(const context& with, std::string_view hostpart,
                              std::string_view sender) {
  if (auto good = check_hostpart(hostpart); !good)
    return error{fault::caller, "hostpart", "", std::move(good).error().text};
  IMA_TRY(s, make_state(with, false));
  SSL* const ssl = s->ssl.get();
  s->peer.server_name = hostpart;
  const own_credential* const ours = sender.empty() ? nullptr : with.inside().find(sender);
  const bool needed = !sender.empty() || with.inside().inside == protocol::imdp;
  if ((needed && ours == nullptr) || (ours != nullptr && !use(ssl, *ours)))
    return error{fault::caller, "no-certificate", "",
                 fmt::format("none of our certificates proves '{}'", sender)};
  const std::string_view word = with.inside().alpn();
  std::string alpn(1, static_cast<char>(word.size()));
  alpn += word;
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                      static_cast<unsigned int>(alpn.size()));
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
           s->peer.server_name.data());
  IMA_CHECK(s->handshake());  // puts the first flight into the output
  return engine(std::move(s));
}

result<engine> engine::server(const context& with) {
  IMA_TRY(s, make_state(with, true));
  return engine(std::move(s));
}

engine::engine(std::unique_ptr<state> s) : state_(std::move(s)) {}
engine::engine(engine&&) noexcept = default;
engine& engine::operator=(engine&&) noexcept = default;
engine::~engine() = default;

void engine::receive(octets ciphertext) {
  if (!state_->failed && !state_->closed) state_->in.feed(ciphertext);
}
void engine::receive_eof() { state_->in.finish(); }

result<std::size_t> engine::read(char* buffer, std::size_t size) {
  state& s = *state_;
  if (s.failed) return *s.failed;
  if (auto good = s.handshake(); !good) return s.fail(std::move(good).error());
  if (!s.handshake_done || s.closed) return std::size_t{0};
  if (size == 0) {
    s.in.keep();  // it may be the first plaintext; the caller's octets are his own again
    return std::size_t{0};
  }
  auto got = s.decrypt(buffer, size);
  if (!got) return s.fail(std::move(got).error());
  return got;
}

result<void> engine::write(octets plaintext) {
  state& s = *state_;
  if (s.failed) return *s.failed;
  if (!s.handshake_done || (SSL_get_shutdown(s.ssl.get()) & SSL_SENT_SHUTDOWN) != 0)
    return error{fault::caller, "out-of-turn", "", "write before the handshake or after the end"};
  if (plaintext.empty()) return {};
  ERR_clear_error();
  std::size_t taken = 0;
  const int status = SSL_write_ex(s.ssl.get(), plaintext.data(), plaintext.size(), &taken);
  if (status == 1) return {};
  return s.fail(s.failure(status));
}

void engine::shutdown() {
  if (state_->failed || !state_->handshake_done) return;
  SSL_shutdown(state_->ssl.get());
  ERR_clear_error();
}

octets engine::pending_output() const noexcept { return state_->out.pending(); }
void engine::sent(std::size_t count) { state_->out.sent(count); }
bool engine::handshake_done() const noexcept { return state_->handshake_done; }
bool engine::closed() const noexcept { return state_->closed; }
const peer_facts& engine::peer() const noexcept { return state_->peer; }

}  // namespace ima::tls
