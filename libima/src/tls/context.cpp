#include "support/try.hpp"
#include "tls/chain_file.hpp"
#include "tls/context_content.hpp"
#include "tls/facts.hpp"
#include "tls/revocation.hpp"

#include <ima/small_file.hpp>
#include <ima/tls/context.hpp>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <utility>

namespace ima::tls {
namespace {

error bad_file(std::string_view rule, const std::string& file, std::string why) {
  ERR_clear_error();
  return {fault::caller, rule, file, std::move(why)};
}

result<key_ptr> read_key(const std::string& name, X509* leaf) {
  const bio_ptr in(BIO_new_file(name.c_str(), "r"));
  // An empty pass phrase rather than a prompt on the terminal of a server.
  static char no_phrase[] = "";
  key_ptr key;
  if (in) key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, no_phrase));
  if (!key) return bad_file("key-file", name, openssl_errors());
  if (X509_check_private_key(leaf, key.get()) != 1)
    return bad_file("key-file", name, "is not the key of the certificate: " + openssl_errors());
  return key;
}

result<own_credential> load(const credential& files, common_name names) {
  IMA_TRY(text, read_small_file(files.chain_file, "certificate-file"));
  auto chain = read_chain(text);
  if (!chain) return bad_file("certificate-file", files.chain_file, chain.error().text);
  IMA_TRY(key, read_key(files.key_file, chain->leaf.get()));
  own_credential made;
  made.facts = facts_of(chain->leaf.get(), names);
  made.leaf = std::move(chain->leaf);
  made.others = std::move(chain->others);
  made.key = std::move(key);
  return made;
}

// OpenSSL refuses weak certificates of our own only when a connection is to use them, which would
// look like having none.
result<void> try_out(SSL_CTX* with, const own_credential& ours, const credential& files) {
  const ssl_ptr trial(SSL_new(with));
  if (trial && use(trial.get(), ours)) return {};
  return bad_file("certificate-file", files.chain_file, "cannot be used: " + openssl_errors());
}

result<store_ptr> system_store() {
  store_ptr made(X509_STORE_new());
  if (X509_STORE_set_default_paths(made.get()) != 1)
    return bad_file("ca-file", "the system's certificate store", openssl_errors());
  return made;
}

result<store_ptr> own_store(const std::string& file) {
  store_ptr made(X509_STORE_new());
  if (X509_STORE_load_file(made.get(), file.c_str()) != 1)
    return bad_file("ca-file", file, openssl_errors());
  return made;
}

result<trust> load_trust(const context_options& options) {
  trust made;
  made.now = options.now;
  made.names = options.names;
  made.check_revocation = !options.crl.empty();
  if (options.system_store) {
    IMA_TRY(store, system_store());
    made.system = std::move(store);
  }
  if (!options.ca_file.empty()) {
    IMA_TRY(store, own_store(options.ca_file));
    made.administrator = std::move(store);
  }
  if (options.crl.empty()) return made;
  IMA_TRY(lists, read_revocation_lists(options.crl));
  for (X509_STORE* const store : {made.system.get(), made.administrator.get()})
    for (const crl_ptr& list : lists)
      if (store != nullptr && X509_STORE_add_crl(store, list.get()) != 1)
        return bad_file("crl-file", options.crl, openssl_errors());
  return made;
}

result<ssl_context_ptr> make_ssl(protocol inside) {
  ssl_context_ptr ssl(SSL_CTX_new(TLS_method()));
  if (!ssl) return error{fault::temporary, "tls-handshake", "", openssl_errors()};
  SSL_CTX* const c = ssl.get();
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_security_level(c, security_level);
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
  IMA_TRY(whom, load_trust(options));
  made->whom = std::move(whom);
  IMA_TRY(ssl, make_ssl(options.inside));
  made->ssl = std::move(ssl);
  for (const credential& files : options.credentials) {
    IMA_TRY(loaded, load(files, options.names));
    IMA_CHECK(try_out(made->ssl.get(), loaded, files));
    made->credentials.push_back(std::move(loaded));
  }
  return context(std::move(made));
}

const certificate_facts* context::own_certificate(std::string_view domain) const noexcept {
  const own_credential* const found = content_->find(domain);
  return found == nullptr ? nullptr : &found->facts;
}

result<void> check_made_for(const context& with, protocol inside) {
  if (with.inside().inside == inside) return {};
  const bool wants_imdp = inside == protocol::imdp;
  return error{fault::caller, "tls-protocol", "",
               fmt::format("the TLS context is for {}, and this is {}",
                           wants_imdp ? "IMRP" : "IMDP", wants_imdp ? "IMDP" : "IMRP")};
}

std::vector<certificate_facts> context::own_certificates() const {
  std::vector<certificate_facts> all;
  for (const own_credential& c : content_->credentials) all.push_back(c.facts);
  return all;
}

}  // namespace ima::tls
