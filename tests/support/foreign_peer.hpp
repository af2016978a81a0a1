#pragma once

#include "certificates.hpp"

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The other side of a TLS connection, made of OpenSSL alone: it does what our engine never does,
// such as showing a certificate that is good for nothing.

namespace ima::test {

struct foreign_peer_options {
  bool serving = false;
  std::vector<certified> chain{};              ///< Shown, leaf first; none where empty.
  int version = TLS1_3_VERSION;                ///< The highest it speaks.
  std::string server_name = "b.example";       ///< SNI of a client; none where empty.
  std::string alpn = std::string("\x04imdp");  ///< A client's list, a server's only choice.
};

class foreign_peer {
 public:
  explicit foreign_peer(foreign_peer_options o)
      : options_(std::move(o)),
        with_(SSL_CTX_new(options_.serving ? TLS_server_method() : TLS_client_method()),
              SSL_CTX_free) {
    SSL_CTX_set_security_level(with_.get(), 0);
    SSL_CTX_set_max_proto_version(with_.get(), options_.version);
    if (options_.serving) SSL_CTX_set_verify(with_.get(), SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_alpn_select_cb(with_.get(), choose_protocol, &options_);
    ssl_.reset(SSL_new(with_.get()), SSL_free);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    show_chain();
    options_.serving ? SSL_set_accept_state(ssl_.get()) : say_hello();
  }

  /// Takes what came from the network, goes on, and returns what it has to say.
  std::string exchange(std::string_view came) {
    if (!came.empty()) BIO_write(in_, came.data(), static_cast<int>(came.size()));
    if (SSL_is_init_finished(ssl_.get()) == 0) SSL_do_handshake(ssl_.get());
    char buffer[4096];
    while (SSL_is_init_finished(ssl_.get()) != 0) {
      const int count = SSL_read(ssl_.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      got.append(buffer, static_cast<std::size_t>(count));
    }
    std::string answer(BIO_ctrl_pending(out_), '\0');
    if (!answer.empty()) BIO_read(out_, answer.data(), static_cast<int>(answer.size()));
    return answer;
  }

  SSL* ssl() { return ssl_.get(); }
  bool finished() { return SSL_is_init_finished(ssl_.get()) != 0; }
  std::string got;

 private:
  static int accept_any(int, X509_STORE_CTX*) { return 1; }
  static int choose_protocol(SSL*, const unsigned char** out, unsigned char* size,
                             const unsigned char*, unsigned int, void* options) {
    const std::string& list = static_cast<foreign_peer_options*>(options)->alpn;
    if (list.empty()) return SSL_TLSEXT_ERR_NOACK;
    *out = reinterpret_cast<const unsigned char*>(list.data()) + 1;
    *size = static_cast<unsigned char>(list[0]);
    return SSL_TLSEXT_ERR_OK;
  }

  void show_chain() {
    if (options_.chain.empty()) return;
    STACK_OF(X509)* const others = sk_X509_new_null();
    for (std::size_t i = 1; i < options_.chain.size(); ++i)
      sk_X509_push(others, options_.chain[i].certificate.get());
    const certified& leaf = options_.chain.front();
    if (SSL_use_cert_and_key(ssl_.get(), leaf.certificate.get(), leaf.own.get(), others, 1) != 1)
      throw std::runtime_error("cannot show the certificate");
    sk_X509_free(others);
  }

  void say_hello() {
    SSL_set_connect_state(ssl_.get());
    // The macro for this call hides an old-style cast.
    if (!options_.server_name.empty())
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               options_.server_name.data());
    if (!options_.alpn.empty())
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options_.alpn.data()),
                          static_cast<unsigned int>(options_.alpn.size()));
  }

  foreign_peer_options options_;
  std::shared_ptr<SSL_CTX> with_;
  std::shared_ptr<SSL> ssl_;
  BIO* in_ = nullptr;  // both owned by ssl_
  BIO* out_ = nullptr;
};

}  // namespace ima::test
