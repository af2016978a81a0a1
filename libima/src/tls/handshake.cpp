#include "support/try.hpp"
#include "tls/engine_state.hpp"
#include "tls/facts.hpp"
#include "tls/verification_rules.hpp"

#include <ima/address.hpp>

#include <fmt/format.h>

// What OpenSSL asks while it shakes hands.

namespace ima::tls {
namespace {

// The server has answered with a protocol before it shows its certificate.
result<void> check_protocol(const SSL* ssl, std::string_view wanted) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  if (octets(reinterpret_cast<const char*>(name), size) == wanted) return {};
  return error{fault::peer, "tls-alpn", "", "the server agreed to no protocol"};
}

// A server is judged whole; of a client only the chain, as its domain is the message's business.
result<void> judge_peer(engine::state& s, X509* leaf, STACK_OF(X509) * others) {
  const context::content& rules = s.with.inside();
  const peer_role role = s.serving ? peer_role::client : peer_role::server;
  s.peer.certificate = facts_of(leaf, rules.whom.names);
  if (!s.serving) IMA_CHECK(check_protocol(s.ssl.get(), rules.alpn()));
  verification made = verify_chain(rules.whom, leaf, others, role);
  if (made.refused) return *std::move(made.refused);
  if (!s.serving) IMA_CHECK(proves(*s.peer.certificate, s.peer.server_name));
  s.peer.chain_verified = true;
  s.peer.good_until = made.good_until;
  return {};
}

}  // namespace

int verify_peer(X509_STORE_CTX* check, void*) {
  const auto* const ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  engine::state& s = state_of(ssl);
  auto good = judge_peer(s, X509_STORE_CTX_get0_cert(check), X509_STORE_CTX_get0_untrusted(check));
  if (good) return 1;
  if (s.serving && s.with.inside().inside == protocol::imrp) {
    s.peer.chain_problem = std::move(good).error();  // judged at AUTH, by key or issuer
    return 1;
  }
  X509_STORE_CTX_set_error(check, code_for_alert(good.error().rule));
  s.found = std::move(good).error();
  return 0;
}

int look_at_hello(SSL* ssl, int* alert, void*) {
  const unsigned char* at = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &at,
                                &size) == 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  state_of(ssl).found = error{fault::peer, "tls-alpn", "", "the client asks for no protocol"};
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int choose_certificate(SSL* ssl, int* alert, void*) {
  engine::state& s = state_of(ssl);
  if (!s.serving) return SSL_TLSEXT_ERR_OK;
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  // A wildcard of ours would cover a name that is none.
  const bool usable = name != nullptr && check_hostpart(name);
  const own_credential* const ours = usable ? s.with.inside().find(name) : nullptr;
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
  engine::state& s = state_of(ssl);
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

}  // namespace ima::tls
