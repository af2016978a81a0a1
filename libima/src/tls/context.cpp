#include "support/try.hpp"
#include "tls/context_content.hpp"
#include "tls/facts.hpp"

#include <ima/tls/context.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

namespace ima::tls {
namespace {

error bad_file(std::string_view rule, const std::string& file) {
  return {fault::caller, rule, file, openssl_errors()};
}

result<own_credential> load(const credential& files, common_name names) {
  own_credential made;
  const bio_ptr chain(BIO_new_file(files.chain_file.c_str(), "r"));
  if (chain) made.leaf.reset(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!made.leaf) return bad_file("certificate-file", files.chain_file);
  made.others.reset(sk_X509_new_null());
  while (X509* const next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr))
    sk_X509_push(made.others.get(), next);
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return bad_file("certificate-file", files.chain_file);
  ERR_clear_error();
  const bio_ptr key(BIO_new_file(files.key_file.c_str(), "r"));
  // An empty pass phrase rather than a prompt on the terminal of a server.
  static char no_phrase[] = "";
  if (key) made.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, no_phrase));
  if (!made.key || X509_check_private_key(made.leaf.get(), made.key.get()) != 1)
    return bad_file("key-file", files.key_file);
  made.facts = facts_of(made.leaf.get(), names);
  return made;
}

result<trust> load_trust(const context_options& options) {
  trust made;
  made.now = options.now;
  made.check_revocation = !options.crl_file.empty();
  if (options.system_store) {
    made.system.reset(X509_STORE_new());
    if (X509_STORE_set_default_paths(made.system.get()) != 1)
      return bad_file("ca-file", "the system's certificate store");
  }
  if (!options.ca_file.empty()) {
    made.administrator.reset(X509_STORE_new());
    if (X509_STORE_load_file(made.administrator.get(), options.ca_file.c_str()) != 1)
      return bad_file("ca-file", options.ca_file);
  }
  for (X509_STORE* const store : {made.system.get(), made.administrator.get()}) {
    if (store == nullptr || options.crl_file.empty()) continue;
    X509_LOOKUP* const files = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (X509_load_crl_file(files, options.crl_file.c_str(), X509_FILETYPE_PEM) < 1)
      return bad_file("crl-file", options.crl_file);
  }
  ERR_clear_error();
  return made;
}

result<ssl_context_ptr> make_ssl(protocol inside) {
  ssl_context_ptr ssl(SSL_CTX_new(TLS_method()));
  if (!ssl) return error{fault::temporary, "tls-handshake", "", openssl_errors()};
  SSL_CTX* const c = ssl.get();
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION);
  // No resumption: each connection proves both sides afresh (docs/identity.md section 1).
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  const int required = inside == protocol::imdp ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | required, nullptr);
  SSL_CTX_set_cert_verify_callback(c, verify_peer, nullptr);
  SSL_CTX_set_client_hello_cb(c, look_at_hello, nullptr);
  // The macro for this call hides an old-style cast.
  SSL_CTX_callback_ctrl(c, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(choose_certificate));
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  return ssl;
}

}  // namespace

const own_credential* context::content::find(std::string_view domain) const noexcept {
  const own_credential* by_wildcard = nullptr;
  for (const own_credential& c : credentials) {
    for (const std::string& name : c.facts.names) {
      if (name == domain) return &c;
      if (by_wildcard == nullptr && covers(name, domain)) by_wildcard = &c;
    }
  }
  return by_wildcard;
}

bool use(SSL* ssl, const own_credential& ours) {
  return SSL_use_cert_and_key(ssl, ours.leaf.get(), ours.key.get(), ours.others.get(), 1) == 1;
}

result<context> context::create(const context_options& options) {
  auto made = std::make_shared<content>();
  made->inside = options.inside;
  made->names = options.names;
  for (const credential& files : options.credentials) {
    IMA_TRY(loaded, load(files, options.names));
    made->credentials.push_back(std::move(loaded));
  }
  IMA_TRY(whom, load_trust(options));
  made->whom = std::move(whom);
  IMA_TRY(ssl, make_ssl(options.inside));
  made->ssl = std::move(ssl);
  return context(std::move(made));
}

const certificate_facts* context::own_certificate(std::string_view domain) const noexcept {
  const own_credential* const found = content_->find(domain);
  return found == nullptr ? nullptr : &found->facts;
}

}  // namespace ima::tls
