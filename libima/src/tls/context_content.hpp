#pragma once

#include "tls/handles.hpp"
#include "tls/verification.hpp"

#include <ima/tls/context.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace ima::tls {

/// One of our certificates, loaded.
struct own_credential {
  x509_ptr leaf;
  chain_ptr others;
  key_ptr key;
  certificate_facts facts;
};

struct context::content {
  protocol inside = protocol::imdp;
  trust whom;
  std::vector<own_credential> credentials;
  ssl_context_ptr ssl;

  /// The credential that proves `domain`; an exact name goes before a wildcard.
  const own_credential* find(std::string_view domain) const noexcept;
  std::string_view alpn() const noexcept { return inside == protocol::imdp ? "imdp" : "imrp"; }
};

/// Success where the context was made for this protocol. Error: fault::caller, rule `tls-protocol`.
result<void> check_made_for(const context& with, protocol inside);

/// Makes `ssl` use `ours`.
bool use(SSL* ssl, const own_credential& ours);

/// Called by OpenSSL inside handshakes; defined with the engine, which keeps what they find.
int verify_peer(X509_STORE_CTX* check, void* unused);
int choose_certificate(SSL* ssl, int* alert, void* unused);
int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void* unused);
int look_at_hello(SSL* ssl, int* alert, void* unused);

}  // namespace ima::tls
