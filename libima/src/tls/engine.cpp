#include "support/try.hpp"
#include "tls/context_content.hpp"
#include "tls/facts.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"

#include <ima/address.hpp>
#include <ima/tls/engine.hpp>

#include <fmt/format.h>
#include <openssl/err.h>

#include <cstring>
#include <utility>

namespace ima::tls {

struct engine::state {
  context with;
  ssl_ptr ssl;
  bool serving = false;
  wire::input in{0};
  wire::output out;
  bool handshake_done = false;
  bool closed = false;
  peer_facts peer;
  std::optional<error> found;   // what the verification found, for the error of the handshake
  std::optional<error> failed;  // after it every call fails

  explicit state(context c) : with(std::move(c)) {}

  result<void> handshake();
  result<void> check_after_handshake();
  error failure(int status);
  error fail(error why) {
    failed = std::move(why);
    return *failed;
  }
};

namespace {

// The BIO between OpenSSL and the engine's buffers. Input is read in place, without the copy that a
// memory BIO would make.

engine::state* state_of(BIO* bio) { return static_cast<engine::state*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* buffer, int size) {
  engine::state& s = *state_of(bio);
  BIO_clear_retry_flags(bio);
  const octets got = s.in.some(static_cast<std::uint64_t>(size));
  if (!got.empty()) {
    std::memcpy(buffer, got.data(), got.size());
    return static_cast<int>(got.size());
  }
  if (s.in.finished()) return 0;
  BIO_set_retry_read(bio);
  return -1;
}

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  state_of(bio)->out.raw(octets(from, static_cast<std::size_t>(size)));
  return size;
}

long bio_ctrl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return state_of(bio)->in.at_end() ? 1 : 0;
  return 0;
}

const BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ima");
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
  }();
  return method;
}

engine::state* state_of(const SSL* ssl) {
  return static_cast<engine::state*>(SSL_get_app_data(ssl));
}

}  // namespace

int verify_peer(X509_STORE_CTX* check, void*) {
  const auto* const ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  engine::state& s = *state_of(ssl);
  const context::content& rules = s.with.inside();
  X509* const leaf = X509_STORE_CTX_get0_cert(check);
  const peer_role role = s.serving ? peer_role::client : peer_role::server;
  s.peer.certificate = facts_of(leaf, rules.names);
  auto good = verify_chain(rules.whom, leaf, X509_STORE_CTX_get0_untrusted(check), role);
  if (good && !s.serving) good = proves(*s.peer.certificate, s.peer.server_name);
  s.peer.chain_verified = good.has_value();
  if (good) return 1;
  s.found = std::move(good).error();
  if (s.serving && rules.inside == protocol::imrp) return 1;  // judged at AUTH, by key or issuer
  X509_STORE_CTX_set_error(check,
                           s.found->rule == "certificate-expired"   ? X509_V_ERR_CERT_HAS_EXPIRED
                           : s.found->rule == "certificate-revoked" ? X509_V_ERR_CERT_REVOKED
                                                                    : X509_V_ERR_CERT_UNTRUSTED);
  return 0;
}

int look_at_hello(SSL* ssl, int* alert, void*) {
  const unsigned char* at = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &at,
                                &size) == 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  state_of(ssl)->found = error{fault::peer, "tls-alpn", "", "the client asks for no protocol"};
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int choose_certificate(SSL* ssl, int* alert, void*) {
  engine::state& s = *state_of(ssl);
  if (!s.serving) return SSL_TLSEXT_ERR_OK;
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const own_credential* const ours = name == nullptr ? nullptr : s.with.inside().find(name);
  if (ours != nullptr && use(ssl, *ours)) {
    s.peer.server_name = name;
    return SSL_TLSEXT_ERR_OK;
  }
  s.found = error{fault::peer, "tls-sni", "",
                  name == nullptr ? "the client names no host (SNI)"
                                  : fmt::format("no certificate here for '{}'", printable(name))};
  *alert = name == nullptr ? SSL_AD_MISSING_EXTENSION : SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) {
  engine::state& s = *state_of(ssl);
  const std::string_view wanted = s.with.inside().alpn();
  for (unsigned int at = 0; at < in_size; at += 1U + in[at]) {
    const unsigned char size = in[at];
    if (at + 1U + size > in_size) break;
    if (octets(reinterpret_cast<const char*>(in + at + 1), size) != wanted) continue;
    *out = in + at + 1;
    *out_size = size;
    return SSL_TLSEXT_ERR_OK;
  }
  s.found = error{fault::peer, "tls-alpn", "", fmt::format("the client does not speak {}", wanted)};
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

error engine::state::failure(int status) {
  const int kind = SSL_get_error(ssl.get(), status);
  const unsigned long code = ERR_peek_last_error();
  const bool alerted =
      ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
  const bool cut = in.at_end() && (kind == SSL_ERROR_SYSCALL ||
                                   ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
  std::string text = openssl_errors();
  if (cut)
    return {fault::temporary, "tls-truncated", "", "the connection ended without a TLS close"};
  if (found && !handshake_done) return *found;
  if (alerted) return {fault::peer, "tls-alert", "", "the other side refused us: " + text};
  return {fault::peer, "tls-handshake", "", text.empty() ? "TLS failed" : text};
}

result<void> engine::state::check_after_handshake() {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl.get(), &name, &size);
  if (octets(reinterpret_cast<const char*>(name), size) != with.inside().alpn())
    return error{fault::peer, "tls-alpn", "", "the server agreed to no protocol"};
  peer.cipher = fmt::format("{}/{}", SSL_get_version(ssl.get()), SSL_get_cipher_name(ssl.get()));
  handshake_done = true;
  return {};
}

result<void> engine::state::handshake() {
  if (handshake_done) return {};
  ERR_clear_error();
  const int status = SSL_do_handshake(ssl.get());
  if (status == 1) return check_after_handshake();
  if (SSL_get_error(ssl.get(), status) == SSL_ERROR_WANT_READ && !in.at_end()) return {};
  return failure(status);
}

namespace {

result<std::unique_ptr<engine::state>> make_state(const context& with, bool serving) {
  auto made = std::make_unique<engine::state>(with);
  made->serving = serving;
  made->ssl.reset(SSL_new(with.inside().ssl.get()));
  BIO* const bio = BIO_new(bio_method());
  if (!made->ssl || bio == nullptr) {
    BIO_free(bio);
    return error{fault::temporary, "tls-handshake", "", openssl_errors()};
  }
  BIO_set_data(bio, made.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(made->ssl.get(), bio, bio);
  SSL_set_app_data(made->ssl.get(), made.get());
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

void engine::receive(octets ciphertext) { state_->in.feed(ciphertext); }
void engine::receive_eof() { state_->in.finish(); }

result<std::size_t> engine::read(char* buffer, std::size_t size) {
  state& s = *state_;
  if (s.failed) return *s.failed;
  if (auto good = s.handshake(); !good) return s.fail(std::move(good).error());
  if (!s.handshake_done || s.closed || size == 0) return std::size_t{0};
  ERR_clear_error();
  std::size_t got = 0;
  const int status = SSL_read_ex(s.ssl.get(), buffer, size, &got);
  if (status == 1) return got;
  switch (SSL_get_error(s.ssl.get(), status)) {
    case SSL_ERROR_WANT_READ:
      if (!s.in.at_end()) return std::size_t{0};
      break;
    case SSL_ERROR_ZERO_RETURN:
      s.closed = true;
      return std::size_t{0};
    default:
      break;
  }
  return s.fail(s.failure(status));
}

result<void> engine::write(octets plaintext) {
  state& s = *state_;
  if (s.failed) return *s.failed;
  if (!s.handshake_done)
    return error{fault::caller, "out-of-turn", "", "write before the end of the handshake"};
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
